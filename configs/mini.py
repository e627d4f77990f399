"""The model in the box: a GANSynth of four octaves and fifty acoustic instruments, trained for hours on one CPU core.

    apt-get install fluidr3mono-gm-soundfont
    gansynth_train --config=mini

docs/mini.md has what it reaches.
"""

base = "small_data"
hparams = {
    "train_root_dir": "runs/mini",
    "soundfont_path": "/usr/share/sounds/sf3/FluidR3Mono_GM.sf3",  # Where Debian puts it.
    # The acoustic programs of FluidR3Mono (MIT) with a clear pitch, one of each set of near duplicates.
    "soundfont_programs": [
        0, 6, 8, 10, 11, 12, 13, 15, 20, 21, 22, 24, 25, 32, 40, 41, 42, 43, 45, 46, 48, 52, 53, 56, 57, 58, 59, 60, 61,
        64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 104, 105, 106, 107, 108, 109, 111, 114,
    ],
    "min_pitch": 36,
    "max_pitch": 84,
    "latent_vector_size": 64,
    "fmap_max": 64,
    "precision": "mixed_bfloat16",  # Faster where the processor has it.
    "train_time_limit": 28800.0,
    "save_summaries_num_images": 40000,
    "keep_every_examples": 40000,
}  # fmt: skip
