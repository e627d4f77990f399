"""Log mel power, mel instantaneous frequency, 256 frames of 512 mel bands, grown progressively: the paper's "IF-Mel".

    gansynth_train --config=mel_prog --hparams='{"tfds_data_dir": "DIR"}'

DIR holds TFDS' nsynth/gansynth_subset. One GPU with 16 GB: a user of Magenta's code took 88 hours of a V100 for the
11 million examples of `mel_prog_hires` (magenta/magenta#1607). It has not been trained here; the paper's table 1
gives it NDB 37.0, FID 600, inception score 29.6, pitch accuracy 94.1 %.
"""

base = "mel_prog_hires"
hparams = {
    "train_root_dir": "runs/mel_prog",
    "start_height": 4,
    "start_width": 8,
}
