"""A GANSynth for one evening: three hours on two CPU cores, resumable.

    gansynth_train --config=laptop
"""

hparams = {
    "train_root_dir": "runs/laptop",
    # Sixteen General MIDI instruments, two octaves, one second: 0.75 s held, 0.25 s released.
    "soundfont_programs": [0, 6, 11, 15, 20, 24, 40, 42, 48, 52, 56, 60, 65, 68, 71, 73],
    "soundfont_velocities": [100],
    "min_pitch": 48,
    "max_pitch": 72,
    "audio_length": 16000,
    # 32 frames of 256 mel bands, each made of four of 1024 linear bins: of the shapes with 8192 points this one loses
    # least in a round trip (see docs/training.md).
    "data_type": "mel",
    "mel_downscale": 4,
    "mel_if": "power_mean",
    "data_normalizer": "specgrams_simple_normalizer",
    "start_height": 2,
    "start_width": 16,
    "num_resolutions": 5,
    "latent_vector_size": 32,
    "pitch_scale": 4.0,
    "fmap_base": 512,
    "fmap_max": 32,
    "fmap_min": 16,
    "generator_learning_rate": 0.004,
    "discriminator_learning_rate": 0.004,
    "generator_ac_loss_weight": 10.0,
    "discriminator_ac_loss_weight": 10.0,
    "gradient_penalty_interval": 2,
    "train_progressive": False,
    "batch_size_schedule": [8],
    "train_time_limit": 10800.0,
    "total_num_images": 10000000,
    "save_summaries_num_images": 8000,
    "fake_batch_size": 64,
    "checkpoint_seconds": 120.0,
    "keep_checkpoints": 2,
}
