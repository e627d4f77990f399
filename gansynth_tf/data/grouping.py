"""Notes of one pitch side by side, so that a critic who sees a batch can compare what differs in nothing but timbre."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf


def find_groups(labels: np.ndarray, size: int) -> np.ndarray:
    """Divides notes that are sorted by their labels into groups of one label each.

    A label's last group is filled up with its first notes, and again with them where it has fewer than a group.

    Args:
        labels: Sorted, [notes].
        size: Notes in a group.

    Returns:
        Places among the notes, int64 [groups, size].
    """
    _, counts = np.unique(labels, return_counts=True)
    firsts = np.cumsum(counts) - counts
    places = [
        (first + np.arange(-(-count // size) * size) % count).reshape(-1, size)
        for first, count in zip(firsts, counts, strict=True)
    ]
    return np.concatenate(places) if places else np.zeros([0, size], np.int64)


def shuffle_in_groups(labels: tf.Tensor, groups: np.ndarray, seed: tf.Tensor) -> tf.Tensor:
    """An epoch's order: other notes of a label meet each time, and the groups come in another order.

    Args:
        labels: Of all notes, in any order, [notes].
        groups: What `find_groups` gives for them.
        seed: int64 scalar.

    Returns:
        Places among `labels`, int64 [groups * size].
    """
    shuffle, first = tf.random.experimental.stateless_shuffle, tf.zeros_like(seed)
    order = shuffle(tf.range(tf.shape(labels)[0]), tf.stack([seed, first]))
    order = tf.gather(order, tf.argsort(tf.gather(labels, order), stable=True))
    places = shuffle(tf.convert_to_tensor(groups), tf.stack([seed, first + 1]))
    return tf.gather(order, tf.reshape(places, [-1]))


def gather_groups(stream: tf.data.Dataset, label_of: Callable, size: int) -> tf.data.Dataset:
    """Holds an epoch's notes back until there are enough of a label; what is left over at the end is left out.

    Args:
        stream: Notes in any order.
        label_of: Note -> its label, an integer scalar.
        size: Notes in a group.

    Returns:
        The same notes, those of a group one after the other.
    """
    return stream.group_by_window(
        lambda note: tf.cast(label_of(note), tf.int64),
        lambda _, window: window.batch(size, drop_remainder=True),
        window_size=size,
    ).unbatch()
