"""gansynth_encode: a note's latent, its note and a picture."""

import json

import numpy as np
import pytest

import gansynth_tf
from gansynth_tf.audio import load_audio, save_wav
from gansynth_tf.exploration import encoding


@pytest.mark.slow
def test_a_note_of_the_model_itself_is_found_nearer_than_any_random_one(tiny_run, run_command, tmp_path):
    model = gansynth_tf.load(tiny_run.folder)
    z = model.sample_z(1, seed=321)
    note = model.generate(z, [61])[0]
    save_wav(tmp_path / "mine.wav", note, model.sample_rate)
    flags = [f"--ckpt_dir={tiny_run.folder}", "--pitch=61", "--num_steps=150", "--seed=2"]
    finished = run_command("encode", str(tmp_path / "mine.wav"), *flags, f"--output_dir={tmp_path / 'out'}")
    assert finished.code == 0, finished.err
    names = [f"mine_encoded{end}" for end in (".json", ".png", ".wav", "_z.json")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    facts = json.loads((tmp_path / "out" / "mine_encoded.json").read_text())
    assert facts["pitch"] == 61 and facts["distance"] == min(facts["start_distances"])
    assert f"Distance {facts['distance']:.3f}; of random latents {facts['random_distance']:.3f}" in finished.out
    assert "150/150" in finished.err

    latent = json.loads((tmp_path / "out" / facts["instruments_file"]).read_text())["instruments"]["mine"]
    sound = load_audio(tmp_path / "out" / "mine_encoded.wav", model.sample_rate)
    np.testing.assert_allclose(sound, model.generate(np.array([latent]), [61])[0], atol=1e-5)
    maker = encoding.make_note_maker(model, 61)
    unrefined = encoding.encode_note(maker, note, model.latent_size, 1, 200, num_steps=0, seed=9)
    assert facts["distance"] < 0.3 * unrefined.distance < 0.3 * unrefined.random
    np.testing.assert_allclose(latent, z[0], atol=0.1)


def test_what_cannot_be_encoded(tiny_run, run_command, tmp_path):
    time = np.arange(8000) / 16000
    save_wav(tmp_path / "high.wav", 0.3 * np.sin(2 * np.pi * 880 * time), 16000)
    save_wav(tmp_path / "silent.wav", np.zeros(4000), 16000)
    (tmp_path / "text.wav").write_text("no audio")
    wrong = [
        ([], "Expected one audio file"),
        (["a.wav", "b.wav"], "Received: a.wav b.wav"),
        ([str(tmp_path / "missing.wav")], "does not exist"),
        ([str(tmp_path / "text.wav")], "Expected audio"),
        ([str(tmp_path / "high.wav")], "pitches, 60 to 62. Received one of pitch 81"),
        ([str(tmp_path / "silent.wav")], "Received silence"),
        ([str(tmp_path / "silent.wav"), "--pitch=60"], "can be heard"),
        ([str(tmp_path / "high.wav"), "--pitch=64"], "the nearest is 62"),
        ([str(tmp_path / "high.wav"), "--num_starts=9", "--num_candidates=3"], "--num_starts"),
    ]
    for arguments, words in wrong:
        finished = run_command("encode", f"--ckpt_dir={tiny_run.folder}", *arguments)
        assert finished.code == 2 and words in finished.err.splitlines()[-1], (arguments, finished)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["high.wav", "silent.wav", "text.wav"]
