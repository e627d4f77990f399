"""A small GANSynth in ten minutes on two CPU cores; what bin/quickstart trains.

    gansynth_train --config=quickstart

The game is the one of `small_data`, not the paper's: docs/recipes.md has both beside each other.
"""

hparams = {
    "train_root_dir": "runs/quickstart",
    # Ten General MIDI instruments, two octaves, half a second: 0.375 s held, 0.125 s released.
    "soundfont_programs": [0, 6, 11, 24, 40, 48, 56, 68, 71, 73],
    "soundfont_velocities": [100],
    "min_pitch": 48,
    "max_pitch": 72,
    "audio_length": 8000,
    # 16 frames of 256 mel bands, each made of four of 1024 linear bins: long frames keep the harmonics apart.
    "data_type": "mel",
    "mel_downscale": 4,
    "mel_if": "power_mean",
    "data_normalizer": "specgrams_simple_normalizer",
    "start_height": 1,
    "start_width": 16,
    "num_resolutions": 5,
    "latent_vector_size": 16,
    "pitch_scale": 4.0,
    "fmap_base": 256,
    "fmap_max": 32,
    "fmap_min": 8,
    "generator_learning_rate": 0.004,
    "discriminator_learning_rate": 0.004,
    "adversarial_loss": "relativistic_r1_r2",
    "gradient_penalty_weight": 1.0,
    "gradient_penalty_interval": 2,
    "pitch_projection": True,
    "pitch_group_size": 2,
    "generator_ac_loss_weight": 0.0,
    "discriminator_ac_loss_weight": 0.0,
    "train_progressive": False,
    "batch_size_schedule": [4],
    "train_time_limit": 570.0,
    "total_num_images": 1000000,
    "save_summaries_num_images": 16000,
    "checkpoint_seconds": 60.0,
    "fake_batch_size": 64,
    "keep_checkpoints": 2,
}
