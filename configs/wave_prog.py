"""The waveform GAN in GANSynth's own progressive code: it grows in time only, from 16 samples to 65,536.

Engel et al. 2019 name it beside WaveGAN, without its sizes. Those here: seven resolutions, four times finer each,
filters of nine taps, GANSynth's channels, losses and optimizer. Meant for a GPU.

    gansynth_train --config=wave_prog
"""

hparams = {
    "train_root_dir": "runs/wave_prog",
    "data_type": "wave",
    "data_normalizer": "none",
    "scale_mode": "H",
    "scale_base": 4,
    "start_height": 16,
    "start_width": 1,
    "num_resolutions": 7,
    "kernel_size": 9,
    "kernel_width": 1,
    "latent_vector_size": 256,
    "fmap_base": 4096,
    "fmap_max": 256,
    "generator_ac_loss_weight": 10.0,
    "discriminator_ac_loss_weight": 10.0,
    "generator_learning_rate": 0.0008,
    "discriminator_learning_rate": 0.0008,
    "batch_size_schedule": [8],
    "stable_stage_num_images": 800000,
    "transition_stage_num_images": 800000,
    "total_num_images": 11000000,
    "save_summaries_num_images": 10000,
}
