"""Requests as TensorFlow Serving takes them, by REST and by gRPC: to tensorflow_model_server where it is installed, and
everywhere to a server of the same rules, built here on the same protocol buffers.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import io
import json
import pathlib
import shutil
import socket
import subprocess
import threading
import time
import typing
import urllib.error
import urllib.request

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import gansynth_tf
from gansynth_tf import warmup

grpc = pytest.importorskip("grpc", reason="pip install grpcio")
pytest.importorskip("tensorflow_serving", reason="pip install tensorflow-serving-api")
from tensorflow_serving.apis import (  # noqa: E402  (only where the line above finds it)
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

NAME = "gansynth"
INPUTS = {
    "serving_default": ("z", "pitch"),
    "random": ("pitch", "seed"),
    "interpolate": ("z_from", "z_to", "position", "pitch"),
    "wav": ("z", "pitch"),
    "specgram": ("z", "pitch"),
}

# ---------------------------------------------------------------------------------------------------- a server


class Model:
    """What TensorFlow Serving does between a request and a SavedModel, by its documentation of both interfaces."""

    def __init__(self, version: str):
        self.loaded = tf.saved_model.load(version)
        content = pathlib.Path(version, "saved_model.pb").read_bytes()
        self.signatures = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].signature_def

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """The request's tensors must be those of the signature, in name, type and shape."""
        name = request.model_spec.signature_name or "serving_default"
        wanted = self.signatures[name].inputs
        if request.model_spec.name != NAME or set(request.inputs) != set(wanted):
            raise ValueError(f"inputs are {sorted(request.inputs)}, expected {sorted(wanted)}")
        for key, tensor in request.inputs.items():
            shape = tf.TensorShape(wanted[key].tensor_shape)
            if tensor.dtype != wanted[key].dtype or not shape.is_compatible_with(tensor.tensor_shape):
                raise ValueError(f"{key} must be {wanted[key].dtype} {shape}")
        tensors = {key: tf.constant(tf.make_ndarray(tensor)) for key, tensor in request.inputs.items()}
        response = predict_pb2.PredictResponse()
        for key, value in self.loaded.signatures[name](**tensors).items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response

    def answer(self, body: dict) -> dict:
        """A REST body, in rows ("instances") or columns ("inputs"), to the answer's body."""
        name = body.get("signature_name", "serving_default")
        rows = "instances" in body
        if rows == ("inputs" in body):
            raise ValueError("expected either instances or inputs")
        wanted = self.signatures[name].inputs
        columns = {key: [row[key] for row in body["instances"]] for key in wanted} if rows else body["inputs"]
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = NAME, name
        for key, values in columns.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(values, tf.dtypes.as_dtype(wanted[key].dtype)))
        outputs = {key: tf.make_ndarray(tensor) for key, tensor in self.predict(request).outputs.items()}
        lists = {key: _to_json(key, value) for key, value in outputs.items()}
        if not rows:
            return {"outputs": lists if len(lists) > 1 else next(iter(lists.values()))}
        sizes = {len(values) for values in lists.values()}
        if sizes != {len(body["instances"])}:
            raise ValueError(f"outputs have {sizes} rows, the request {len(body['instances'])}")
        answers = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        return {"predictions": answers if len(lists) > 1 else [next(iter(row.values())) for row in answers]}


def _to_json(name: str, values: np.ndarray) -> list:
    if values.dtype != object:
        return values.tolist()
    if not name.endswith("_bytes"):
        raise ValueError(f"{name} would be taken for text")
    return [{"b64": base64.b64encode(value).decode()} for value in values]


class Addresses(typing.NamedTuple):
    rest: str
    grpc: str


@contextlib.contextmanager
def double(version: str):
    """Serves a version in this process."""
    model = Model(version)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                code, answer = 200, model.answer(body)
            except (ValueError, KeyError, TypeError) as error:
                code, answer = 400, {"error": str(error)}
            # Strict JSON: NaN would raise here.
            content = json.dumps(answer, allow_nan=False).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            try:
                return model.predict(request)
            except ValueError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    rest = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    thread = threading.Thread(target=rest.serve_forever)
    thread.start()
    rpc = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), rpc)
    port = rpc.add_insecure_port("localhost:0")
    rpc.start()
    try:
        yield Addresses(f"http://localhost:{rest.server_port}/v1/models/{NAME}", f"localhost:{port}")
    finally:
        rpc.stop(None).wait()
        rest.shutdown()
        thread.join()
        rest.server_close()


@contextlib.contextmanager
def tensorflow_model_server(folder: str):
    """Runs the real one on a folder of versions."""
    ports = [_free_port() for _ in range(2)]
    command = ["tensorflow_model_server", f"--port={ports[0]}", f"--rest_api_port={ports[1]}"]
    process = subprocess.Popen([*command, f"--model_name={NAME}", f"--model_base_path={folder}"])
    addresses = Addresses(f"http://localhost:{ports[1]}/v1/models/{NAME}", f"localhost:{ports[0]}")
    try:
        for _ in range(120):
            with contextlib.suppress(OSError, KeyError):
                with urllib.request.urlopen(addresses.rest) as answer:
                    if json.load(answer)["model_version_status"][0]["state"] == "AVAILABLE":
                        break
            assert process.poll() is None, "tensorflow_model_server ended"
            time.sleep(0.5)
        yield addresses
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module", params=["double", "tensorflow_model_server"])
def server(request, exported):
    if request.param == "double":
        context = double(str(exported / "1"))
    elif shutil.which("tensorflow_model_server"):
        context = tensorflow_model_server(str(exported))
    else:
        pytest.skip("tensorflow_model_server is not on the PATH")
    with context as addresses:
        yield addresses


# ---------------------------------------------------------------------------------------------------- requests


@pytest.fixture(scope="module")
def model(tiny_run):
    return gansynth_tf.load(tiny_run.folder)


@pytest.fixture(scope="module")
def notes(model):
    """Every input that a signature may want, for three notes."""
    return {
        "z": model.sample_z(3, seed=1),
        "z_from": model.sample_z(3, seed=1),
        "z_to": model.sample_z(3, seed=2),
        "position": np.array([0, 0, 0], np.float32),
        "pitch": np.array([60, 62, 61], np.int32),
        "seed": np.array([5, 6, 7], np.int32),
    }


def post(address: str, body: dict) -> dict:
    request = urllib.request.Request(f"{address}:predict", json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def check(signature: str, outputs: dict, model, notes) -> None:
    """Whether a signature's outputs, by name, are the model's."""
    z = np.concatenate([model.sample_z(1, seed) for seed in (5, 6, 7)]) if signature == "random" else notes["z"]
    waves = model.generate(z, notes["pitch"])
    if signature == "specgram":
        np.testing.assert_allclose(outputs["specgram"], model.generate_specgrams(z, notes["pitch"]), atol=1e-4)
    elif signature == "wav":
        for content, wave in zip(outputs["wav_bytes"], waves, strict=True):
            samples, rate = soundfile.read(io.BytesIO(content), dtype="float32")
            assert rate == 16000
            np.testing.assert_allclose(samples, wave, atol=2 / 32767)
    else:
        np.testing.assert_allclose(outputs["audio"], waves, atol=1e-5)
    if signature == "random":
        np.testing.assert_allclose(outputs["z"], z, atol=1e-6)
    assert set(outputs) <= {"audio", "specgram", "wav_bytes", "z"}


def from_json(values: list) -> list:
    return [base64.b64decode(value["b64"]) if isinstance(value, dict) else value for value in values]


@pytest.mark.parametrize("signature", INPUTS)
def test_rest_in_rows(signature, server, model, notes):
    columns = {name: notes[name].tolist() for name in INPUTS[signature]}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    body = {"instances": rows} | ({} if signature == "serving_default" else {"signature_name": signature})
    predictions = post(server.rest, body)["predictions"]
    assert len(predictions) == 3
    if signature == "random":  # Only several outputs keep their names.
        outputs = {name: [row[name] for row in predictions] for name in ("audio", "z")}
    else:
        output = {"wav": "wav_bytes", "specgram": "specgram"}.get(signature, "audio")
        outputs = {output: from_json(predictions)}
    check(signature, outputs, model, notes)


@pytest.mark.parametrize("signature", INPUTS)
def test_rest_in_columns(signature, server, model, notes):
    body = {"signature_name": signature, "inputs": {name: notes[name].tolist() for name in INPUTS[signature]}}
    outputs = post(server.rest, body)["outputs"]
    if signature != "random":
        output = {"wav": "wav_bytes", "specgram": "specgram"}.get(signature, "audio")
        outputs = {output: from_json(outputs)}
    check(signature, outputs, model, notes)


@pytest.mark.parametrize("signature", INPUTS)
def test_grpc(signature, server, model, notes):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = NAME, signature
    for name in INPUTS[signature]:
        request.inputs[name].CopyFrom(tf.make_tensor_proto(notes[name]))
    with grpc.insecure_channel(server.grpc, [("grpc.max_receive_message_length", -1)]) as channel:
        response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=60)
    outputs = {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}
    check(signature, outputs, model, notes)


def test_a_wrong_request_is_an_error_and_the_server_goes_on(server, notes):
    wrong = [
        {"instances": [{"z": [0.0] * 5}]},
        {"instances": [{"z": [0.0] * 4, "pitch": 60}]},
        {"instances": [{"z": [0.0] * 5, "pitch": "high"}]},
    ]
    for body in wrong:
        with pytest.raises(urllib.error.HTTPError) as error:
            post(server.rest, body)
        with error.value:
            assert error.value.code in (400, 404, 500) and json.load(error.value)["error"]
    assert len(post(server.rest, {"instances": [{"z": [0.0] * 5, "pitch": 60}]})["predictions"]) == 1


# ---------------------------------------------------------------------------------------------------- warm-up


def test_warm_up_requests_ask_every_signature_what_it_can_answer(exported):
    file = exported / "1" / "assets.extra" / "tf_serving_warmup_requests"
    model, asked = Model(str(exported / "1")), set()
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        asked.add(request.model_spec.signature_name)
        request.model_spec.name = NAME  # A warm-up request goes to the model that it lies in.
        assert model.predict(request).outputs
    assert asked == set(INPUTS)


def test_a_request_is_encoded_as_the_messages_say():
    inputs = {"z": tf.zeros([3, 300]), "pitch": tf.constant([60, 61, 62])}  # More than 127 bytes, and than 127 * 128.
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = "serving_default"
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    encoded = warmup.encode_request("serving_default", inputs)
    assert prediction_log_pb2.PredictionLog.FromString(encoded) == log
    large = warmup.encode_request("serving_default", {"z": np.random.default_rng(0).normal(size=[70, 300])})
    parsed = prediction_log_pb2.PredictionLog.FromString(large).predict_log.request.inputs["z"]
    assert tf.make_ndarray(parsed).shape == (70, 300)
