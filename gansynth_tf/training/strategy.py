"""The tf.distribute strategy that one flag and the machine's devices ask for."""

import json
import os

import tensorflow as tf

CHOICES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")


def make_strategy(choice: str = "auto", devices: list[str] | None = None) -> tf.distribute.Strategy:
    """A distribution strategy.

    Args:
        choice: 'auto' takes multi_worker when TF_CONFIG names a cluster, mirrored with two or more GPUs, else one
            device; or one of 'one_device', 'mirrored', 'multi_worker', 'tpu'.
        devices: For 'mirrored': the devices, such as ['CPU:0', 'CPU:1']; None takes every GPU, or without one every
            logical CPU.

    Raises:
        ValueError: For an unknown choice, or one that this machine cannot serve.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if choice == "auto":
        clustered = bool(json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster"))
        choice = "multi_worker" if clustered else "mirrored" if len(gpus) > 1 else "one_device"
    match choice:
        case "one_device":
            return tf.distribute.OneDeviceStrategy("GPU:0" if gpus else "CPU:0")
        case "mirrored":
            return tf.distribute.MirroredStrategy(
                devices or [d.name for d in gpus or tf.config.list_logical_devices("CPU")]
            )
        case "multi_worker":
            if not os.environ.get("TF_CONFIG"):
                raise ValueError(
                    "--strategy=multi_worker expects the cluster in the environment variable TF_CONFIG; it is not set."
                )
            return tf.distribute.MultiWorkerMirroredStrategy()
        case "tpu":
            if not tf.config.list_logical_devices("TPU") and not os.environ.get("TPU_NAME"):
                raise ValueError("--strategy=tpu expects a TPU (environment variable TPU_NAME); none was found.")
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver(os.environ.get("TPU_NAME", ""))
            tf.config.experimental_connect_to_cluster(resolver)
            tf.tpu.experimental.initialize_tpu_system(resolver)
            return tf.distribute.TPUStrategy(resolver)
    raise ValueError(f"--strategy must be one of {', '.join(CHOICES)}. Received: {choice!r}")
