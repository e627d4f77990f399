"""WaveGAN as published: 16,384 samples, no pitch.

Donahue et al. 2019. Its notes have any pitch.

    gansynth_train --config=wavegan_unconditional
"""

hparams = {
    "train_root_dir": "runs/wavegan_unconditional",
    "model_type": "wavegan",
    "audio_length": 16384,
    "latent_vector_size": 100,
    "wavegan_dim": 64,
    "wavegan_shuffle": 2,
    "wavegan_critic_updates": 5,
    "unconditional": True,
    "gradient_penalty_weight": 10.0,
    "real_score_penalty_weight": 0.0,
    "generator_ac_loss_weight": 0.0,
    "discriminator_ac_loss_weight": 0.0,
    "generator_learning_rate": 0.0001,
    "discriminator_learning_rate": 0.0001,
    "adam_beta1": 0.5,
    "adam_beta2": 0.9,
    "batch_size_schedule": [64],
    "total_num_images": 64000000,
    "save_summaries_num_images": 320000,
}
