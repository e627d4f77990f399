"""The WaveNet of GANSynth's comparison at its published size: 16 bits as a mixture of ten logistics, notes of four
seconds.

Engel et al. 2019, appendix (150,000 updates of 32 chunks, two days on 32 V100); chunks, learning rate and moving
average are those of NSynth's decoder. Meant for many GPUs.

    gansynth_train --config=wavenet_logistics
"""

hparams = {
    "train_root_dir": "runs/wavenet_logistics",
    "model_type": "wavenet",
    "wavenet_output": "logistics",
    "wavenet_width": 512,
    "wavenet_skip_width": 256,
    "wavenet_layers": 30,
    "wavenet_stack_layers": 10,
    "wavenet_hop": 512,
    "wavenet_chunk_frames": 12,
    "wavenet_condition_width": 512,
    "generator_learning_rate": 0.0002,
    "decay_at_updates": [90000, 120000, 150000, 180000],
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "ema_decay": 0.9999,
    "batch_size_schedule": [32],
    "total_num_images": 4800000,
    "save_summaries_num_images": 320000,
    "fake_batch_size": 8,
}
