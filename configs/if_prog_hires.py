"""Log magnitude and instantaneous frequency, 128 frames of 1024 bins, grown progressively: the paper's "IF + H".

    gansynth_train --config=if_prog_hires --hparams='{"tfds_data_dir": "DIR"}'

DIR holds TFDS' nsynth/gansynth_subset. One GPU with 16 GB: a user of Magenta's code took 88 hours of a V100 for the
11 million examples of `mel_prog_hires` (magenta/magenta#1607). It has not been trained here; the paper's table 1
gives it NDB 36.0, FID 104, inception score 41.6, pitch accuracy 98.3 %.
"""

base = "mel_prog_hires"
hparams = {
    "train_root_dir": "runs/if_prog_hires",
    "data_type": "linear",
    # The mel preset's constants are those of log mel power. Here the data's own range becomes -0.8 to 0.8: appendix D.
    "data_normalizer": "specgrams_simple_normalizer",
    "normalizer_num_examples": 100,
}
