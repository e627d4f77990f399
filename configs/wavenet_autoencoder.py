"""The NSynth WaveNet autoencoder at its published size: 16 numbers for every 512 samples of four seconds.

Engel et al. 2017 and the released code (200,000 updates of 32 chunks of 6,144 samples, ten days on 32 K40). Its
decoder is told the code alone, which holds the pitch. Meant for many GPUs.

    gansynth_train --config=wavenet_autoencoder
"""

hparams = {
    "train_root_dir": "runs/wavenet_autoencoder",
    "model_type": "wavenet_autoencoder",
    "unconditional": True,
    "wavenet_width": 512,
    "wavenet_skip_width": 256,
    "wavenet_layers": 30,
    "wavenet_stack_layers": 10,
    "wavenet_hop": 512,
    "wavenet_chunk_frames": 12,
    "wavenet_encoder_width": 128,
    "wavenet_code_size": 16,
    "generator_learning_rate": 0.0002,
    "decay_at_updates": [90000, 120000, 150000, 180000],
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "ema_decay": 0.9999,
    "batch_size_schedule": [32],
    "total_num_images": 6400000,
    "save_summaries_num_images": 320000,
    "fake_batch_size": 8,
}
