"""A small WaveGAN with a pitch, forty minutes on two CPU cores.

    gansynth_train --config=wavegan_laptop
"""

hparams = {
    "train_root_dir": "runs/wavegan_laptop",
    # The data of the `laptop` preset: sixteen instruments, two octaves, one second.
    "soundfont_programs": [0, 6, 11, 15, 20, 24, 40, 42, 48, 52, 56, 60, 65, 68, 71, 73],
    "soundfont_velocities": [100],
    "min_pitch": 48,
    "max_pitch": 72,
    "audio_length": 16000,
    "model_type": "wavegan",
    "latent_vector_size": 32,
    "wavegan_dim": 16,
    "gradient_penalty_weight": 10.0,
    "real_score_penalty_weight": 0.0,
    "generator_ac_loss_weight": 10.0,
    "discriminator_ac_loss_weight": 10.0,
    "generator_learning_rate": 0.0004,
    "discriminator_learning_rate": 0.0004,
    "adam_beta1": 0.5,
    "adam_beta2": 0.9,
    "batch_size_schedule": [16],
    "train_time_limit": 2400.0,
    "total_num_images": 10000000,
    "save_summaries_num_images": 16000,
    "fake_batch_size": 16,
    "checkpoint_seconds": 120.0,
    "keep_checkpoints": 2,
}
