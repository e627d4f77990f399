"""Warm-up requests for TensorFlow Serving: it answers them before it says that a model is available.

So the first user does not wait for the first run of each graph. The file holds one PredictionLog per request
(tensorflow_serving/apis/prediction_log.proto) as a TFRecord.
"""

import os
from collections.abc import Iterable, Mapping

import tensorflow as tf

FILE = "assets.extra/tf_serving_warmup_requests"  # Where TensorFlow Serving looks, below a version's folder.

# Field numbers of prediction_log.proto, predict.proto and model.proto. The package that has these messages wants a
# TensorFlow of its own release; all that is needed here are nested messages, which protobuf writes as
# (number << 3 | 2), length, content.
_LOG_PREDICT, _PREDICT_LOG_REQUEST = 6, 1
_REQUEST_MODEL, _REQUEST_INPUTS = 1, 2
_MODEL_SIGNATURE = 3
_MAP_KEY, _MAP_VALUE = 1, 2


def write_requests(path: str | os.PathLike, requests: Iterable[tuple[str, Mapping[str, tf.Tensor]]]) -> None:
    """Writes the file.

    Args:
        path: Where; its folder is made when missing.
        requests: Signature, and its inputs by name.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            writer.write(encode_request(signature, inputs))


def encode_request(signature: str, inputs: Mapping[str, tf.Tensor]) -> bytes:
    """A PredictionLog that holds one PredictRequest, serialised.

    Args:
        signature: Its name.
        inputs: Tensors by name.

    Returns:
        The message's bytes.
    """
    request = _field(_REQUEST_MODEL, _field(_MODEL_SIGNATURE, signature.encode()))
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += _field(_REQUEST_INPUTS, _field(_MAP_KEY, name.encode()) + _field(_MAP_VALUE, tensor))
    return _field(_LOG_PREDICT, _field(_PREDICT_LOG_REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits to a byte, the lowest first; the eighth says that more follow."""
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
