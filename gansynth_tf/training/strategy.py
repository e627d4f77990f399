"""The tf.distribute strategy that one flag and the machine's devices ask for, and how a batch is spread over it."""

import json
import os
from collections.abc import Callable, Iterable, Iterator

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
    if choice == "multi_worker" or (choice == "auto" and names_cluster()):
        # Before anything opens the devices, which would fix who takes part.
        return _make_multi_worker()
    gpus = tf.config.list_logical_devices("GPU")
    if choice == "auto":
        choice = "mirrored" if len(gpus) > 1 else "one_device"
    match choice:
        case "one_device":
            return tf.distribute.OneDeviceStrategy("GPU:0" if gpus else "CPU:0")
        case "mirrored":
            return tf.distribute.MirroredStrategy(
                devices or [d.name for d in gpus or tf.config.list_logical_devices("CPU")]
            )
        case "tpu":
            if not tf.config.list_logical_devices("TPU") and not os.environ.get("TPU_NAME"):
                raise ValueError("--strategy=tpu expects a TPU (environment variable TPU_NAME); none was found.")
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver(os.environ.get("TPU_NAME", ""))
            tf.config.experimental_connect_to_cluster(resolver)
            tf.tpu.experimental.initialize_tpu_system(resolver)
            return tf.distribute.TPUStrategy(resolver)
    raise ValueError(f"--strategy must be one of {', '.join(CHOICES)}. Received: {choice!r}")


def names_cluster() -> bool:
    """Whether TF_CONFIG names a cluster.

    Raises:
        ValueError: When it holds something else than a JSON object.
    """
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        return bool(json.loads(text).get("cluster"))
    except (ValueError, AttributeError):
        raise ValueError(
            'TF_CONFIG must be a JSON object such as {"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            f'"task": {{"type": "worker", "index": 0}}}}. Received: {text!r}'
        ) from None


def _make_multi_worker() -> tf.distribute.Strategy:
    if not names_cluster():
        raise ValueError(
            "--strategy=multi_worker expects the cluster in the environment variable TF_CONFIG; it is not set."
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


def distribute(
    strategy: tf.distribute.Strategy, make_dataset: Callable[[], tf.data.Dataset], batch_size: int
) -> Iterable:
    """Global batches, of which every replica gets the rows that stand at its number.

    Left to itself, tf.distribute deals batches out in an order that depends on the number of machines.

    Args:
        strategy: Of tf.distribute.
        make_dataset: Makes the stream of global batches; the same in every process.
        batch_size: Of the global batch, a multiple of the replicas.
    """

    def share(context: tf.distribute.InputContext) -> tf.data.Dataset:
        rows = batch_size // context.num_input_pipelines
        start = rows * context.input_pipeline_id
        dataset = make_dataset()
        if context.num_input_pipelines > 1:
            dataset = dataset.map(lambda batch: tf.nest.map_structure(lambda x: x[start : start + rows], batch))
        if context.num_replicas_in_sync > context.num_input_pipelines:
            dataset = dataset.rebatch(batch_size // context.num_replicas_in_sync, drop_remainder=True)
        return dataset.prefetch(2)

    return strategy.distribute_datasets_from_function(share)


def next_batch(
    strategy: tf.distribute.Strategy, iterator: Iterator, after: tf.Tensor, examples: tf.Tensor, timed: bool
) -> tuple[dict, tf.Tensor, tf.Tensor]:
    """The next batch, asked for when `after` is known, and the seconds that it took to come (0 where not timed).

    The third is `examples`, known once the batch is there: what hangs on it, all that is random in an update, cannot
    run in between and pass for a wait, as it would on a single core.
    """
    if not timed:
        return next(iterator), tf.zeros([], tf.float64), examples
    with tf.control_dependencies([after]):
        asked = tf.timestamp()
    with tf.control_dependencies([asked]):
        batch = next(iterator)
    with tf.control_dependencies(strategy.experimental_local_results(batch["label"])):
        seconds = tf.timestamp() - asked
    with tf.control_dependencies([seconds]):
        return batch, seconds, tf.identity(examples)
