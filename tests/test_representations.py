"""Representations against Magenta's own output, and under every way to run them."""

import numpy as np
import pytest

from gansynth_tf import representations

SIZES = {"lo": (256, 512), "hi": (128, 1024)}
LAYERS = {
    "linear": representations.LinearIF,
    "phase": representations.LinearPhase,
    "mel": representations.MelIF,
}


@pytest.fixture(scope="module")
def golden(golden_dir):
    with np.load(golden_dir / "spectral.npz") as file:
        return dict(file)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", LAYERS)
def test_encode_and_decode_match_magenta(golden, kind, size):
    layer = LAYERS[kind](SIZES[size], 64000, 16000)
    expected = golden[f"{kind}_{size}_specgram"]
    specgrams = layer.encode(golden["audio"]).numpy()

    # Below, the phase is noise: the magnitude is near the floor of 1e-6.
    audible = expected[..., 0] > -6.0
    difference = np.abs(specgrams - expected)[audible]
    assert difference[:, 0].max() < 3e-3
    frequency = np.abs((difference[:, 1] + 1.0) % 2.0 - 1.0)
    assert np.quantile(frequency, 0.999) < 1e-3
    assert frequency.max() < 5e-3

    waves = golden[f"{kind}_{size}_waves"]
    np.testing.assert_allclose(layer.decode(expected), waves, rtol=0, atol=1e-4)
    np.testing.assert_allclose(layer.decode(specgrams), waves, rtol=0, atol=1e-4)
