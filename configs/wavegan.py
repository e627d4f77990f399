"""WaveGAN with a pitch, the waveform GAN of GANSynth's comparison, at its published size: notes of four seconds.

Donahue et al. 2019 (filters, Adam, five critic updates, phase shuffle 2, batch 64); the pitch and its loss are
GANSynth's. Meant for a GPU: the published runs took about 200,000 updates of the generator.

    gansynth_train --config=wavegan
"""

hparams = {
    "train_root_dir": "runs/wavegan",
    "model_type": "wavegan",
    "latent_vector_size": 100,
    "wavegan_dim": 64,
    "wavegan_shuffle": 2,
    "wavegan_critic_updates": 5,
    "gradient_penalty_weight": 10.0,
    "real_score_penalty_weight": 0.0,
    "generator_ac_loss_weight": 10.0,
    "discriminator_ac_loss_weight": 10.0,
    "generator_learning_rate": 0.0001,
    "discriminator_learning_rate": 0.0001,
    "adam_beta1": 0.5,
    "adam_beta2": 0.9,
    "batch_size_schedule": [64],
    "total_num_images": 64000000,
    "save_summaries_num_images": 320000,
}
