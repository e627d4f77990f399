"""The spectral autoencoder that was NSynth's baseline, at its published size: notes of four seconds.

Engel et al. 2017 and the released code (1,984 numbers, batch 8, Adam 1e-4 with beta1 0.5, five days on six K40).

    gansynth_train --config=spectral_autoencoder
"""

hparams = {
    "train_root_dir": "runs/spectral_autoencoder",
    "model_type": "spectral_autoencoder",
    "spectral_width": 128,
    "spectral_code_size": 1984,
    "griffin_lim_iterations": 1000,
    "generator_learning_rate": 0.0001,
    "adam_beta1": 0.5,
    "adam_beta2": 0.999,
    "batch_size_schedule": [8],
    "total_num_images": 10000000,
    "save_summaries_num_images": 100000,
    "fake_batch_size": 8,
}
