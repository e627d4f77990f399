"""Log magnitude and phase, 128 frames of 1024 bins, grown progressively: the paper's "Phase + H".

    gansynth_train --config=phase_prog_hires --hparams='{"tfds_data_dir": "DIR"}'

DIR holds TFDS' nsynth/gansynth_subset. One GPU with 16 GB: a user of Magenta's code took 88 hours of a V100 for the
11 million examples of `mel_prog_hires` (magenta/magenta#1607). It has not been trained here; the paper's table 1
gives it NDB 37.6, FID 592, inception score 36.2, pitch accuracy 97.6 %.
"""

base = "mel_prog_hires"
hparams = {
    "train_root_dir": "runs/phase_prog_hires",
    "data_type": "phase",
    # The mel preset's constants are those of log mel power. Here the data's own range becomes -0.8 to 0.8: appendix D.
    "data_normalizer": "specgrams_simple_normalizer",
    "normalizer_num_examples": 100,
}
