"""What several tests share: where the golden files are."""

import os
import pathlib

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session")
def golden_dir() -> pathlib.Path:
    """Outputs of Magenta's own code, kept beside the repository; skips where they are absent."""
    path = pathlib.Path(__file__).resolve().parents[2] / "shared" / "golden"
    if not path.is_dir():
        pytest.skip(f"golden files not found in {path}")
    return path
