"""`mel_prog` without progressive growing: all blocks are trained from the start.

    gansynth_train --config=mel_prog_noprog --hparams='{"tfds_data_dir": "DIR"}'

Machine and data as `mel_prog`. All of its examples cost what those of that preset's last stage do. Magenta's own
command asks for 4 million examples and trains 44 million, because it adds up counts that are cumulative; here it is 4
million. It has not been trained here; the paper's table 1 holds only models that were grown.
"""

base = "mel_prog"
hparams = {
    "train_root_dir": "runs/mel_prog_noprog",
    "train_progressive": False,
    "total_num_images": 4_000_000,
}
