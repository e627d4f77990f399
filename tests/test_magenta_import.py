"""Magenta's folders are read whole, however they were copied, or the error says what is wrong with them."""

import json
import pathlib
import shutil
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest

import gansynth_tf
from gansynth_tf import build, magenta_folders, magenta_import, settings
from gansynth_tf.pitches import PitchClasses

G, D = "Generator/progressive_gan_generator", "Discriminator/progressive_gan_discriminator"
EMA = "/ExponentialMovingAverage"
FINISHED = {"stage": 4, "examples": 120}


@pytest.fixture(scope="module")
def small(make_magenta, tmp_path_factory):
    """A small model of Magenta's at its last stage; tests read it, and copy the folder where they must change it."""
    return make_magenta(tmp_path_factory.mktemp("magenta") / "small", **FINISHED)


@pytest.fixture
def copied(small, tmp_path) -> pathlib.Path:
    return shutil.copytree(small.folder, tmp_path / "small")


# ---------------------------------------------------------------------------------------------------- weights


def test_every_weight_comes_from_its_variable(small):
    model, source, leftovers = build.load_magenta(small.folder)
    expected = {
        f"{G}/progressive_gan_block_1/conv0/conv2d/kernel": model.generator.block_1.first.kernel,
        f"{G}/progressive_gan_block_3/conv1/bias": model.generator.block_3.second.bias,
        f"{G}/progressive_gan_block_2/to_rgb/conv2d/kernel": model.generator.block_2.to_specgram.kernel,
        f"{G}/progressive_gan_block_2/to_rgb/bias{EMA}": model.smoothed_generator.block_2.to_specgram.bias,
        f"{G}/progressive_gan_block_3/conv0/conv2d/kernel{EMA}": model.smoothed_generator.block_3.first.kernel,
        f"{D}/progressive_gan_block_3/from_rgb/conv2d/kernel": model.discriminator.block_3.from_specgram.kernel,
        f"{D}/progressive_gan_block_1/conv1/conv2d/kernel": model.discriminator.block_1.second.kernel,
        f"{D}/progressive_gan_block_1/logits/bias": model.discriminator.score.bias,
        "Discriminator/discriminator_cond/classification_logits/dense/kernel": model.discriminator.pitch.kernel,
    }
    for name, variable in expected.items():
        np.testing.assert_array_equal(variable, small.variables[name], name)
    # Both sides are exhausted: what is in the checkpoint is in the table or named as left over, and every weight of the
    # networks stands in the table once.
    table = magenta_import.name_table(model, 3)
    left = [name for names in leftovers.values() for name in names]
    assert sorted([*table, *left]) == sorted(small.variables)
    networks = (model.generator, model.smoothed_generator, model.discriminator)
    assert len({id(v) for v in table.values()}) == len(table) == sum(len(network.weights) for network in networks)
    assert {kind: len(names) for kind, names in leftovers.items()} == {
        "Adam slots": 2 * (len(table) - len(model.generator.weights)), "beta powers": 4, "counters": 2,
    }  # fmt: skip
    assert (source.examples_seen, source.train_seconds, source.found.stage, source.remarks) == (120, 33.5, 4, ())


def test_the_networks_output_layers_have_he_slope_1_and_the_others_0(small):
    # Magenta's browser version scales every kernel by sqrt(2 / fan in), which drives the last tanh sqrt(2) too hard.
    model = gansynth_tf.load(small.folder)
    block = model.smoothed_generator.block_3
    np.testing.assert_allclose(block.to_specgram.scale, np.sqrt(1 / 2))
    np.testing.assert_allclose(block.second.scale, np.sqrt(2 / (9 * 2)))
    np.testing.assert_allclose(model.discriminator.block_3.from_specgram.scale, np.sqrt(2 / 2))


def test_a_fading_stage_stands_where_it_stopped_and_its_later_blocks_are_fresh(make_magenta, tmp_path):
    made = make_magenta(tmp_path / "fading", stage=1, examples=33)
    model = gansynth_tf.load(made.folder)
    assert model.num_blocks == 2 and model.fade == pytest.approx(9 / 24)
    coarse = model.generate_specgrams(model.sample_z(2, seed=1), [60, 62])
    assert coarse.shape == (2, 64, 128, 2)
    np.testing.assert_array_equal(coarse[:, ::2, ::2], coarse[:, 1::2, 1::2])
    fresh = [model.generator.block_3, model.smoothed_generator.block_3]
    np.testing.assert_array_equal(*(block.second.kernel for block in fresh))


@pytest.mark.parametrize(
    "settings",
    [
        {"data_type": "phase", "data_normalizer": "none", "to_rgb_activation": "linear"},
        {"data_type": "mel", "train_progressive": False, "fmap_decay": 0.5, "scale_mode": "ALL"},
        {"data_type": "wave", "scale_mode": "H", "start_height": 1024, "start_width": 1},
        {"train_time_limit": 67.0, "kernel_size": 5},
    ],
    ids=lambda settings: settings.get("data_type", "time limit"),
)
def test_any_data_type_generates(settings, make_magenta, tmp_path):
    made = make_magenta(tmp_path / "made", **FINISHED, **settings)
    model = gansynth_tf.load(made.folder)
    assert model.num_blocks == 3 and model.fade is None
    waves = model.generate(model.sample_z(2, seed=1), [60, 62])
    assert (
        waves.shape == (2, 4000) and np.isfinite(waves).all() and np.abs(waves).min(axis=1).max() < np.abs(waves).max()
    )


def test_a_run_that_is_given_time_fades_by_its_seconds(make_magenta, tmp_path):
    # Five stages of 20 s: after 33.5 s the first fade has come 13.5 / 20 of its way.
    made = make_magenta(tmp_path / "timed", stage=1, examples=33, train_time_limit=100.0)
    assert gansynth_tf.load(made.folder).fade == pytest.approx(13.5 / 20, abs=0.02)


@pytest.mark.parametrize("name, shape", [("simple", (4,)), ("freq", (128, 4))])
def test_fitted_normalizers_come_from_assets(name, shape, make_magenta, tmp_path):
    made = make_magenta(tmp_path / "made", **FINISHED, data_normalizer=f"specgrams_{name}_normalizer")
    file = made.folder / "assets" / f"specgrams_{name}_normalizer.npz"
    with pytest.raises(ValueError, match=f"lacks assets/{file.name}"):
        gansynth_tf.load(made.folder)
    file.parent.mkdir()
    constants = np.random.default_rng(0).uniform(0.1, 0.9, shape)  # a, b of the magnitude, a, b of the IF.
    np.savez(file, normalizer=constants)
    model = gansynth_tf.load(made.folder)
    specgrams = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 64, 128, 2))
    a, b = constants[..., [0, 2]], constants[..., [1, 3]]
    np.testing.assert_allclose(model.normalizer.denormalize(specgrams), (specgrams - b) / a, rtol=1e-5, atol=1e-6)
    np.savez(file, normalizer=np.full(shape, np.inf))
    with pytest.raises(ValueError, match=f"{file.name} is damaged.*must be finite"):
        gansynth_tf.load(made.folder)
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(ValueError, match=f"{file.name} is damaged"):
        gansynth_tf.load(made.folder)


def test_nsynths_61_pitches_are_taken_where_the_folder_names_none(make_magenta, tmp_path):
    made = make_magenta(tmp_path / "made", **FINISHED, pitches=list(range(24, 85)))
    model = gansynth_tf.load(made.folder)
    assert model.pitches == list(range(24, 85)) and sum(model.pitch_classes.counts) == 60788


# ---------------------------------------------------------------------------------------------------- untidy folders


def load_quietly(path) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return gansynth_tf.load(path)


def same(model, small) -> bool:
    ours = model.smoothed_generator.block_3.second.kernel
    return np.array_equal(ours, small.variables[f"{G}/progressive_gan_block_3/conv1/conv2d/kernel{EMA}"])


@pytest.mark.parametrize("end", ["", ".index", ".data-00000-of-00001", ".meta"])
def test_a_path_may_name_a_checkpoint_or_one_of_its_files(end, small):
    assert same(load_quietly(f"{small.stage}/model.ckpt-120{end}"), small)


def test_a_path_may_name_one_stage_and_end_in_a_slash(small, monkeypatch):
    assert same(load_quietly(f"{small.stage}/"), small)
    monkeypatch.chdir(small.stage)
    assert same(load_quietly("."), small)


@pytest.mark.parametrize("top", ["", "acoustic_only/", "Downloads/acoustic_only/"])
def test_a_path_may_name_the_zip(top, small, tmp_path):
    packed = tmp_path / "acoustic_only.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in small.folder.rglob("*"):
            archive.write(path, top + str(path.relative_to(small.folder)))
            archive.writestr(f"__MACOSX/{top}._{path.name}", b"hidden")
        archive.writestr(f"__MACOSX/{top}stage_00004/._model.ckpt-120.index", b"hidden")
    assert same(load_quietly(packed), small)
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(ValueError, match="acoustic_only.zip cannot be unpacked: .*again"):
        gansynth_tf.load(packed)


def test_a_zip_with_a_damaged_file_or_without_a_model_is_an_error(small, tmp_path):
    packed = tmp_path / "model.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in small.folder.rglob("*"):
            archive.write(path, path.relative_to(small.folder))
    whole = packed.read_bytes()
    for text in (b"latent_vector_size", b"progressive_gan_block_1/conv0"):
        packed.write_bytes(whole.replace(text, text[::-1], 1))
        with pytest.raises(ValueError, match="model.zip cannot be unpacked: Bad CRC-32"):
            gansynth_tf.load(packed)
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("notes/readme.txt", b"no model")
    with pytest.raises(ValueError, match="model.zip, which has none"):
        gansynth_tf.load(packed)
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("a", "b"):
            archive.writestr(f"{name}/stage_00012/model.ckpt-1.index", b"")
    with pytest.raises(ValueError, match="several models: a, b"):
        gansynth_tf.load(packed)


def test_a_checkpoint_file_that_names_a_vanished_folder_is_no_matter(small):
    # All of these folders are such: the file names /gone/stage_00004/model.ckpt-120.
    assert "/gone/" in (small.stage / "checkpoint").read_text() and same(load_quietly(small.folder), small)


@pytest.mark.parametrize("text", [None, "", 'model_checkpoint_path: "/gone/model.ckpt-999"\n', "\xff\x00"])
def test_without_a_checkpoint_file_the_newest_complete_one_is_taken(text, small, copied):
    stage = copied / "stage_00004"
    (stage / "checkpoint").unlink()
    if text is not None:
        (stage / "checkpoint").write_text(text)
    for end in (".index", ".data-00000-of-00001"):
        shutil.copy(stage / f"model.ckpt-120{end}", stage / f"model.ckpt-96{end}")
    shutil.copy(stage / "model.ckpt-120.index", stage / "model.ckpt-144.index")  # Its data were not copied.
    shutil.copy(stage / "model.ckpt-120.data-00000-of-00001", stage / "model.ckpt-144.data-00000-of-00002")
    with pytest.warns(UserWarning, match="`checkpoint` of .*: model.ckpt-120 is taken"):
        assert same(gansynth_tf.load(copied), small)


def test_a_last_stage_without_a_checkpoint_gives_way_to_the_one_before(small, copied):
    (copied / "stage_00005").mkdir()
    (copied / "stage_00006").mkdir()
    (copied / "stage_00006" / "model.ckpt-150.index").write_bytes(b"")
    with pytest.warns(UserWarning, match="stage before it is taken") as caught:
        assert same(gansynth_tf.load(copied), small)
    assert len(caught) == 2
    with pytest.raises(ValueError, match="stage_00006 does not hold a whole checkpoint"):
        gansynth_tf.load(copied / "stage_00006")
    shutil.rmtree(copied / "stage_00004")
    with pytest.raises(ValueError, match="None of the 2 stages in .*small holds a complete checkpoint"):
        gansynth_tf.load(copied)


def test_stray_entries_are_not_taken_for_stages(small, copied):
    shutil.copytree(copied / "stage_00004", copied / "stage_backup")
    (copied / "stage_00009").write_text("a file")
    with pytest.warns(UserWarning, match="not read: stage_00009, stage_backup"):
        assert same(gansynth_tf.load(copied), small)


def no_experiment(folder):
    (folder / "experiment.json").unlink()
    return "has no experiment.json, which says how large the networks are"


def broken_experiment(folder):
    (folder / "experiment.json").write_text('{"fmap_base": 20, ')
    return "experiment.json is damaged, not JSON"


def empty_experiment(folder):
    (folder / "experiment.json").write_text('{"train_root_dir": "x", "fmap_base": 20}')
    return "lacks data_type, latent_vector_size, .*fmap_max: it is none of Magenta's"


def changed(folder, **values):
    file = folder / "experiment.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def wrong_type(folder):
    changed(folder, fmap_max="many")
    return "experiment.json cannot be used: fmap_max must be an integer"


def simple_arch(folder):
    changed(folder, simple_arch=True)
    return "experiment.json cannot be used: simple_arch=true is not built here"


def wider(folder):
    changed(folder, fmap_max=6)
    return r"conv0/conv2d/kernel in .* has the shape \[16, 32, 8, 7\], but the settings make it \[16, 32, 8, 6\]"


def more_resolutions(folder):
    changed(folder, num_resolutions=4, start_height=8, start_width=16)
    return r"has the shape \[16, 32, 8, 7\], but the settings make it \[8, 16, 8, 7\]"


def fewer_resolutions(folder):
    changed(folder, num_resolutions=2)
    return "2 resolutions, so that stage 2 is the last. Received: stage 4"


def an_earlier_stage(folder):
    (folder / "stage_00004").rename(folder / "stage_00002")
    return "holds 18 weights that experiment.json knows nothing of, .*block_3/.* among them"


def a_later_stage(folder):
    changed(folder, num_resolutions=4)
    (folder / "stage_00004").rename(folder / "stage_00006")
    return "lacks Generator/progressive_gan_generator/progressive_gan_block_4/"


def other_pitches(folder):
    (folder / "pitches.json").unlink()
    return "knows 3 pitches, not the 61 of NSynth; .* say which. Write them to .*pitches.json"


def broken_pitches(folder):
    (folder / "pitches.json").write_text('{"pitches": [60, 61, 62]}')
    return "pitches.json is damaged: KeyError: 'counts'"


def short_data(folder):
    file = folder / "stage_00004" / "model.ckpt-120.data-00000-of-00001"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return "model.ckpt-120 is damaged or was cut short: .*Copy its files again"


def flipped_data(folder):
    file = folder / "stage_00004" / "model.ckpt-120.data-00000-of-00001"
    data = bytearray(file.read_bytes())
    data[1000:5096] = bytes(4096)
    file.write_bytes(data)
    return "model.ckpt-120 is damaged or was cut short"


def short_index(folder):
    file = folder / "stage_00004" / "model.ckpt-120.index"
    file.write_bytes(file.read_bytes()[:100])
    return "model.ckpt-120 is damaged or was cut short"


def loose_checkpoint(folder):
    for path in (folder / "stage_00004").iterdir():
        path.rename(folder / path.name)
    (folder / "stage_00004").rmdir()
    return "Expected checkpoints in folders named after their stage, such as stage_00012"


DAMAGES = (
    no_experiment, broken_experiment, empty_experiment, wrong_type, simple_arch, wider, more_resolutions,
    fewer_resolutions,
    an_earlier_stage, a_later_stage, other_pitches, broken_pitches, short_data, flipped_data, short_index,
    loose_checkpoint,
)  # fmt: skip


@pytest.mark.parametrize("change", DAMAGES, ids=lambda change: change.__name__)
def test_what_is_wrong_is_said(change, copied):
    expected = change(copied)
    with pytest.raises(ValueError, match=expected):
        load_quietly(copied)


def test_settings_that_mean_nothing_are_named(copied):
    changed(copied, fmap_bass=7, output_dir="x", dataset_name="nsynth_tfrecord")
    with pytest.warns(UserWarning, match="experiment.json that mean nothing: fmap_bass, output_dir"):
        assert gansynth_tf.load(copied).pitch_classes == PitchClasses((60, 61, 62), (3, 3, 3))


def test_other_folders_are_not_magentas(tiny_run, tmp_path):
    for path in (tiny_run.folder, tmp_path, tmp_path / "missing", tmp_path / "missing.zip"):
        assert not magenta_folders.is_magenta(path)
    with pytest.raises(ValueError, match="which does not exist"):
        gansynth_tf.load(tmp_path / "missing.zip")


# ---------------------------------------------------------------------------------------------------- full size


@pytest.mark.long
def test_the_papers_best_model_converts_in_30_seconds_and_3_gib(make_magenta, tmp_path):
    sizes = {name: value for name, value in settings.read_preset("mel_prog_hires").items() if name != "train_root_dir"}
    whole = sizes | {"audio_length": 64000}
    made = make_magenta(tmp_path / "magenta", stage=12, examples=11000000, pitches=list(range(24, 85)), **whole)
    flags = [f"--ckpt_dir={made.folder}", f"--output_dir={tmp_path / 'run'}"]
    # Processor time, so that other work on the machine does not count.
    script = (
        "import json, resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'gansynth_tf.cli.convert', *sys.argv[1:]], check=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20]))\n"
    )
    finished = subprocess.run([sys.executable, "-c", script, *flags], check=True, capture_output=True, text=True)
    seconds, gib = json.loads(finished.stdout.splitlines()[-1])
    print(f"{seconds:.1f} s of processor time, {gib:.2f} GiB")
    assert seconds < 30 and gib < 3
    model = gansynth_tf.load(tmp_path / "run")
    name = f"{G}/progressive_gan_block_7/conv1/conv2d/kernel{EMA}"
    np.testing.assert_array_equal(model.smoothed_generator.block_7.second.kernel, made.variables[name])
    waves = model.generate(model.sample_z(1, seed=0), [60])
    assert waves.shape == (1, 64000) and np.isfinite(waves).all()
