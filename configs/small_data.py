"""A GANSynth from a few hundred notes: forty minutes on two CPU cores.

    gansynth_train --config=small_data --hparams='{"dataset_name": "folder", "data_path": "my_sounds"}'
    gansynth_train --config=small_data

The second learns from five hundred SoundFont notes. docs/recipes.md says what was tried.
"""

base = "laptop"
hparams = {
    "train_root_dir": "runs/small_data",
    "soundfont_programs": [
        0, 6, 10, 11, 12, 13, 15, 20, 22, 24, 25, 40, 42, 45, 46, 48, 52, 56, 57, 60, 61, 64, 66, 68, 71, 73, 75, 79,
        107,
    ],
    "adversarial_loss": "relativistic_r1_r2",
    "gradient_penalty_weight": 1.0,
    "pitch_projection": True,
    "pitch_group_size": 2,
    "batch_size_schedule": [4],
    "generator_ac_loss_weight": 0.0,
    "discriminator_ac_loss_weight": 0.0,
    "train_time_limit": 2400.0,
}  # fmt: skip
