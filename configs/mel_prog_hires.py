"""Log mel power, mel instantaneous frequency, 128 frames of 1024 mel bands, progressive: the paper's "IF-Mel + H".

    gansynth_train --config=mel_prog_hires --hparams='{"tfds_data_dir": "DIR"}'

DIR holds TFDS' nsynth/gansynth_subset. One GPU with 16 GB: a user of Magenta's code took 88 hours of a V100 for the
11 million examples of `mel_prog_hires` (magenta/magenta#1607). It has not been trained here; the paper's table 1
gives it NDB 29.3, FID 167, inception score 38.1, pitch accuracy 97.9 %.
"""

# The values of Magenta's configs/mel_prog_hires.py, in its order.
hparams = {
    "train_root_dir": "runs/mel_prog_hires",
    "data_type": "mel",
    "total_num_images": 11_000_000,
    "discriminator_learning_rate": 8e-4,
    "generator_learning_rate": 8e-4,
    "train_progressive": True,
    "stable_stage_num_images": 800_000,
    "transition_stage_num_images": 800_000,
    "save_summaries_num_images": 10_000,
    "batch_size_schedule": [8],
    "fmap_base": 4096,
    "fmap_decay": 1.0,
    "fmap_max": 256,
    "fake_batch_size": 61,
    "latent_vector_size": 256,
    "kernel_size": 3,
    "gradient_penalty_target": 1.0,
    "gradient_penalty_weight": 10.0,
    "real_score_penalty_weight": 0.001,
    "generator_ac_loss_weight": 10.0,
    "discriminator_ac_loss_weight": 10.0,
    "gen_gl_consistency_loss_weight": 0.0,
    "dataset_name": "nsynth_tfds",
    "scale_mode": "ALL",
    "scale_base": 2,
    "num_resolutions": 7,
    "start_height": 2,
    "start_width": 16,
}
