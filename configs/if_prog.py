"""Log magnitude and instantaneous frequency, 256 frames of 512 bins, grown progressively: the paper's "IF".

    gansynth_train --config=if_prog --hparams='{"tfds_data_dir": "DIR"}'

DIR holds TFDS' nsynth/gansynth_subset. One GPU with 16 GB: a user of Magenta's code took 88 hours of a V100 for the
11 million examples of `mel_prog_hires` (magenta/magenta#1607). It has not been trained here; the paper's table 1
gives it NDB 37.0, FID 708, inception score 36.3, pitch accuracy 96.8 %.
"""

base = "mel_prog_hires"
hparams = {
    "train_root_dir": "runs/if_prog",
    "data_type": "linear",
    # The mel preset's constants are those of log mel power. Here the data's own range becomes -0.8 to 0.8: appendix D.
    "data_normalizer": "specgrams_simple_normalizer",
    "normalizer_num_examples": 100,
    "start_height": 4,
    "start_width": 8,
}
