"""labels: what file names, CSVs and NSynth's examples.json say about a note."""

import json

import pytest

from gansynth_tf.data import labels, notes


@pytest.mark.parametrize(
    ("stem", "pitch", "velocity", "instrument"),
    [
        ("bass_synthetic_033-022-050", 22, 50, "bass_synthetic_033"),
        ("synth_lead_electronic_000-127-127", 127, 127, "synth_lead_electronic_000"),
        ("Flute_C#4", 61, -1, "Flute"),
        ("Flute_Bb3", 58, -1, "Flute"),
        ("Piano.ff.Gb7", 102, -1, "Piano.ff"),
        ("violin-A4-long", 69, -1, "violin"),
        ("Fs2", 42, -1, ""),
        ("C-1", 0, -1, ""),
        ("G9", 127, -1, ""),
        ("E♭3", 51, -1, ""),
        ("kick_60", 60, -1, "kick"),
        ("my_bell_7", 7, -1, "my_bell"),
        # A note name says more than a number, which may only count the takes.
        ("Piano_A3_1", 57, -1, "Piano"),
        ("take_128", -1, -1, ""),
        ("G#9", -1, -1, ""),
        ("H4", -1, -1, ""),
        ("track4", -1, -1, ""),
        ("flute_wooden_002-060-100", -1, -1, ""),
        ("", -1, -1, ""),
    ],
)
def test_names(stem, pitch, velocity, instrument):
    label = labels.label_from_name(stem)
    assert (label.pitch, label.velocity, label.instrument) == (pitch, velocity, instrument)
    assert label.origin == ("" if pitch == notes.UNKNOWN else "file name")


def test_nsynth_names_say_family_and_source():
    label = labels.label_from_name("synth_lead_electronic_000-060-127")
    assert (label.family, label.source) == ("synth_lead", "electronic")


def test_note_names_agree_with_librosa():
    import librosa

    for pitch in range(128):
        for unicode in (False, True):
            assert labels.parse_note_name(librosa.midi_to_note(pitch, unicode=unicode)) == pitch


def test_a_csv_has_numbers_names_and_gaps(tmp_path):
    (tmp_path / "list.csv").write_text(
        "\ufeffFile;Pitch;velocity;instrument;family;source;split;qualities\n"
        "a.wav;C#4;90;mine;flute;acoustic;valid;bright tempo-synced\n"
        "deep\\b.wav;61.0;;;;;;\n"
        "c;;;yours;;;;\n",
        encoding="utf-8",
    )
    rows = labels.read_csv(str(tmp_path / "list.csv"))
    assert rows["a.wav"] == labels.Label(
        61, 90, "mine", "flute", "acoustic", "valid", ("bright", "tempo-synced"), "CSV"
    )
    assert rows["deep/b.wav"] == labels.Label(61, origin="CSV")
    assert rows["c"] == labels.Label(instrument="yours")


def test_a_csv_about_something_else_is_passed_over(tmp_path):
    (tmp_path / "prices.csv").write_text("name,price\nflute,100\n")
    assert labels.read_csv(str(tmp_path / "prices.csv")) == {}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.wav,H9,,", "line 3: pitch must be a whole number in 0..127 or a note name.* Received: 'H9'"),
        ("a.wav,60.5,,", "Received: '60.5'"),
        ("a.wav,nan,,", "Received: 'nan'"),
        ("a.wav,128,,", "Received: '128'"),
        ("a.wav,60,-3,", "velocity must be"),
        ("a.wav,60,,kazoo", "family must be one of bass, .* Received: 'kazoo'"),
    ],
)
def test_mistakes_in_a_csv_are_named(row, message, tmp_path):
    (tmp_path / "list.csv").write_text(f"file,pitch,velocity,family\nfirst.wav,60,1,reed\n{row}\n")
    with pytest.raises(ValueError, match=message):
        labels.read_csv(str(tmp_path / "list.csv"))


def test_a_csv_in_another_encoding_is_named(tmp_path):
    (tmp_path / "list.csv").write_bytes("file,pitch\nflöte.wav,60\n".encode("latin-1"))
    with pytest.raises(ValueError, match="save it as UTF-8"):
        labels.read_csv(str(tmp_path / "list.csv"))


def test_sources_are_asked_in_order(tmp_path):
    example = {
        "pitch": 70, "velocity": 25, "instrument_str": "i", "instrument_family_str": "reed",
        "instrument_source_str": "electronic", "qualities": [1, 0, 0, 0, 0, 0, 0, 0, 1, 0],
    }  # fmt: skip
    (tmp_path / "examples.json").write_text(json.dumps({"x_60": example}))
    (tmp_path / "own.csv").write_text("file,pitch,velocity\naudio/x_60.wav,71,99\naudio/y_60.wav,72,\nz_60,,98\n")
    label, listed = labels.make_labeller(str(tmp_path), {""}, ["own.csv"])
    assert label("audio/x_60.wav") == labels.Label(
        70, 25, "i", "reed", "electronic", "train", ("bright", "reverb"), "examples.json"
    )
    assert (label("audio/y_60.wav").pitch, label("audio/y_60.wav").origin) == (72, "CSV")
    # The CSV knows the velocity, the name the pitch.
    assert (label("z_60.wav").pitch, label("z_60.wav").velocity, label("z_60.wav").origin) == (60, 98, "file name")
    assert sorted(listed) == ["audio/x_60.wav", "audio/y_60.wav", "z_60"]


def test_folders_name_instruments_and_splits(tmp_path):
    label, _ = labels.make_labeller(str(tmp_path / "mine"), set(), [])
    assert (label("60.wav").instrument, label("60.wav").split) == ("mine", "train")
    assert (label("oboe/C4.wav").instrument, label("oboe/C4.wav").split) == ("oboe", "train")
    assert label("valid/oboe/C4.wav").split == label("nsynth-valid/audio/x.wav").split == "valid"
    assert label("test/C4.wav").split == "test"


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 3}', '{"a": {"pitch": 60}}'])
def test_damaged_examples_are_named(text, tmp_path):
    (tmp_path / "examples.json").write_text(text)
    with pytest.raises(ValueError, match="examples.json.*download it again"):
        labels.read_examples(str(tmp_path / "examples.json"))
