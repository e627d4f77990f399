"""Log magnitude and phase, 256 frames of 512 bins, grown progressively: the paper's "Phase".

    gansynth_train --config=phase_prog --hparams='{"tfds_data_dir": "DIR"}'

DIR holds TFDS' nsynth/gansynth_subset. One GPU with 16 GB: a user of Magenta's code took 88 hours of a V100 for the
11 million examples of `mel_prog_hires` (magenta/magenta#1607). It has not been trained here; the paper's table 1
gives it NDB 41.4, FID 687, inception score 24.4, pitch accuracy 94.4 %.
"""

base = "mel_prog_hires"
hparams = {
    "train_root_dir": "runs/phase_prog",
    "data_type": "phase",
    # The mel preset's constants are those of log mel power. Here the data's own range becomes -0.8 to 0.8: appendix D.
    "data_normalizer": "specgrams_simple_normalizer",
    "normalizer_num_examples": 100,
    "start_height": 4,
    "start_width": 8,
}
