"""A small waveform GAN in GANSynth's progressive code, forty minutes on two CPU cores.

    gansynth_train --config=wave_prog_laptop
"""

hparams = {
    "train_root_dir": "runs/wave_prog_laptop",
    # The data of the `laptop` preset: sixteen instruments, two octaves, one second.
    "soundfont_programs": [0, 6, 11, 15, 20, 24, 40, 42, 48, 52, 56, 60, 65, 68, 71, 73],
    "soundfont_velocities": [100],
    "min_pitch": 48,
    "max_pitch": 72,
    "audio_length": 16000,
    "data_type": "wave",
    "data_normalizer": "none",
    "scale_mode": "H",
    "scale_base": 4,
    "start_height": 16,
    "start_width": 1,
    "num_resolutions": 6,
    "kernel_size": 9,
    "kernel_width": 1,
    "latent_vector_size": 32,
    "pitch_scale": 4.0,
    "fmap_base": 512,
    "fmap_max": 32,
    "fmap_min": 16,
    "generator_ac_loss_weight": 10.0,
    "discriminator_ac_loss_weight": 10.0,
    "generator_learning_rate": 0.004,
    "discriminator_learning_rate": 0.004,
    "gradient_penalty_interval": 2,
    "batch_size_schedule": [8],
    "stable_stage_num_images": 4000,
    "transition_stage_num_images": 4000,
    "train_time_limit": 2400.0,
    "total_num_images": 10000000,
    "save_summaries_num_images": 8000,
    "fake_batch_size": 16,
    "checkpoint_seconds": 120.0,
    "keep_checkpoints": 2,
}
