"""A small spectral autoencoder, forty minutes on two CPU cores.

    gansynth_train --config=spectral_autoencoder_laptop
"""

hparams = {
    "train_root_dir": "runs/spectral_autoencoder_laptop",
    # The data of the `laptop` preset: sixteen instruments, two octaves, one second.
    "soundfont_programs": [0, 6, 11, 15, 20, 24, 40, 42, 48, 52, 56, 60, 65, 68, 71, 73],
    "soundfont_velocities": [100],
    "min_pitch": 48,
    "max_pitch": 72,
    "audio_length": 16000,
    "model_type": "spectral_autoencoder",
    "spectral_width": 24,
    "spectral_code_size": 512,
    "griffin_lim_iterations": 100,
    "generator_learning_rate": 0.001,
    "adam_beta1": 0.5,
    "adam_beta2": 0.999,
    "batch_size_schedule": [8],
    "train_time_limit": 2400.0,
    "total_num_images": 10000000,
    "save_summaries_num_images": 8000,
    "fake_batch_size": 16,
    "checkpoint_seconds": 120.0,
    "keep_checkpoints": 2,
}
