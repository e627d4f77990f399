"""beam_folder: Beam's local runner gives the shards and the manifest that one process gives, byte for byte."""

import warnings

import numpy as np
import pytest
import soundfile

from gansynth_tf.data import audio_folder, beam_folder, records

RATE = 8000


def test_missing_beam_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "apache_beam", None)
    request = audio_folder.FolderRequest(str(tmp_path), RATE, 900)
    with pytest.raises(ImportError, match=r"run `pip install 'gansynth_tf\[beam\]'`"):
        beam_folder.prepare_folder(request, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Beam warns of its own parts.
def test_beam_gives_the_same_shards(tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("apache_beam", reason="apache-beam, of the extra `beam`, is not installed")
    folder = tmp_path / "sounds"
    for place in ("train/flute", "train/oboe", "valid/flute"):
        (folder / place).mkdir(parents=True)
        for pitch in range(60, 66):
            wave = np.random.default_rng(pitch).normal(scale=0.1, size=1000)
            soundfile.write(folder / place / f"x_{pitch}.wav", wave, 11025)
    (folder / "broken_60.wav").write_text("")
    soundfile.write(folder / "silent_60.wav", np.zeros(900), RATE)
    monkeypatch.setattr(audio_folder.shards, "choose_num_shards", lambda num_notes, num_samples: 4)
    request = audio_folder.FolderRequest(str(folder), RATE, 900)
    alone = audio_folder.prepare_folder(request, tmp_path / "alone", progress=False)
    options = ["--runner=DirectRunner", "--direct_num_workers=1"]
    by_beam = beam_folder.prepare_folder(request, tmp_path / "beam", options)
    assert by_beam == alone and alone["splits"]["train"]["num_notes"] == 12 and len(alone["skipped"]) == 2
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("alone", "beam")]
    assert files[0] == files[1] and len(files[0]) > 4
    assert beam_folder.prepare_folder(request, tmp_path / "beam", options) == alone
    assert len(records.list_shards(tmp_path / "beam", "valid")) >= 1
