"""`phase_prog_hires` without progressive growing: all blocks are trained from the start.

    gansynth_train --config=phase_prog_hires_noprog --hparams='{"tfds_data_dir": "DIR"}'

Machine and data as `phase_prog_hires`. All of its examples cost what those of that preset's last stage do. Magenta's
own command asks for 4 million examples and trains 44 million, because it adds up counts that are cumulative; here it
is 4 million. It has not been trained here; the paper's table 1 holds only models that were grown.
"""

base = "phase_prog_hires"
hparams = {
    "train_root_dir": "runs/phase_prog_hires_noprog",
    "train_progressive": False,
    "total_num_images": 4_000_000,
}
