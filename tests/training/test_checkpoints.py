"""Checkpoints: everything that training owns comes back; what is damaged or foreign is named."""

import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from gansynth_tf.schedules import ResolutionSchedule
from gansynth_tf.training import checkpoints
from gansynth_tf.training.checkpoints import TrainingState


class Run:
    """A run folder with a model, optimizers that have moved, and their state."""

    def __init__(self, folder: pathlib.Path, make_model, seed: int, strategy=None, keep: int = 5, **model):
        strategy = strategy or tf.distribute.OneDeviceStrategy("CPU:0")
        with strategy.scope():
            self.model = make_model(seed=seed, **model)
            self.optimizers = []
            for network in (self.model.generator, self.model.discriminator):
                optimizer = keras.optimizers.Adam(0.01 * seed, 0.0, 0.99)
                optimizer.build(network.trainable_variables)
                self.optimizers.append(optimizer)
            names = ("generator_optimizer", "discriminator_optimizer")
            self.state = TrainingState(folder, self.model, dict(zip(names, self.optimizers, strict=True)), keep)
        rng = np.random.default_rng(seed)
        variables = [v for optimizer in self.optimizers for v in optimizer.variables if v.dtype == "float32"]
        for variable in [*variables, *self.model.smoothed_generator.weights]:
            variable.assign(rng.uniform(0.1, 0.9, variable.shape))
        for optimizer in self.optimizers:
            optimizer.iterations.assign(7 * seed)
        self.state.examples_seen.assign(2**33 + seed)
        self.state.stage.assign(seed)
        self.state.train_seconds.assign(seed + 0.25)

    def values(self) -> list[np.ndarray]:
        """Copies of everything that must survive."""
        model, state = self.model, self.state
        networks = (model.generator, model.smoothed_generator, model.discriminator, model.normalizer)
        variables = [v for network in networks for v in network.weights]
        variables += [v for optimizer in self.optimizers for v in optimizer.variables]
        return [v.numpy() for v in (*variables, state.examples_seen, state.stage, state.train_seconds)]


@pytest.fixture
def make_run(tmp_path, make_tiny_model):
    def make(seed: int, **settings) -> Run:
        return Run(tmp_path / "run", make_tiny_model, seed, **settings)

    return make


def assert_equal(ours: list, theirs: list):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_to_go_on_from(tmp_path, make_run):
    assert checkpoints.latest_checkpoint(tmp_path / "nowhere") is None
    run = make_run(1)
    before = run.values()
    assert checkpoints.latest_checkpoint(tmp_path / "run") is None and not run.state.restore()
    assert_equal(run.values(), before)


def test_everything_comes_back(tmp_path, make_run):
    first = make_run(1)
    first.model.normalizer.assign([0.3, 0.4], [0.5, 0.6])
    path = first.state.save()
    assert path == checkpoints.latest_checkpoint(tmp_path / "run")
    assert pathlib.Path(path).name == f"ckpt-{2**33 + 1}"
    # Two generators of 18 weights, a critic of 22, 2 constants; optimizers with 2 of their own and 2 for each weight.
    assert len(first.values()) == (18 + 18 + 22 + 2) + (2 + 2 * 18) + (2 + 2 * 22) + 3
    second = make_run(2)
    different = [not np.array_equal(a, b) for a, b in zip(first.values(), second.values(), strict=True)]
    assert all(different)
    assert second.state.restore()
    assert_equal(second.values(), first.values())
    assert int(second.state.examples_seen) == 2**33 + 1


def test_a_model_is_read_without_its_training(tmp_path, make_run, make_tiny_model):
    first = make_run(3)
    path = first.state.save()
    model = make_tiny_model(seed=4)
    assert checkpoints.read_model(model, path) == (2**33 + 3, 3, 3.25)
    z, pitches = model.sample_z(3, seed=5), [40, 50, 43]
    np.testing.assert_array_equal(model.generate(z, pitches), first.model.generate(z, pitches))
    for ours, theirs in ((model.generator, first.model.generator), (model.discriminator, first.model.discriminator)):
        assert_equal(ours.get_weights(), theirs.get_weights())


def test_another_run_goes_on_from_the_newest(make_run):
    run = make_run(1)
    run.state.save()
    run.state.examples_seen.assign(2**33 + 50)
    run.model.generator.set_weights([w + 1.0 for w in run.model.generator.get_weights()])
    run.state.save()
    newest = run.values()
    again = make_run(2)
    again.state.restore()
    assert_equal(again.values(), newest)


def test_old_checkpoints_are_removed(tmp_path, make_run):
    run = make_run(1, keep=2)
    for examples in (100, 200, 200, 300, 1000):
        run.state.examples_seen.assign(examples)
        run.state.save()
    names = {path.name for path in (tmp_path / "run" / "checkpoints").glob("*.index")}
    assert names == {"ckpt-300.index", "ckpt-1000.index"}
    assert checkpoints.latest_checkpoint(tmp_path / "run").endswith("ckpt-1000")


def test_a_run_folder_can_be_moved(tmp_path, make_run, make_tiny_model):
    run = make_run(1)
    run.state.save()
    shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    newest = checkpoints.latest_checkpoint(tmp_path / "elsewhere")
    assert newest == str(tmp_path / "elsewhere" / "checkpoints" / f"ckpt-{2**33 + 1}")
    assert checkpoints.read_model(make_tiny_model(), newest)[1] == 1
    moved = Run(tmp_path / "elsewhere", make_tiny_model, seed=2)
    assert moved.state.restore()
    assert_equal(moved.values(), run.values())


def test_a_half_written_checkpoint_does_not_count(tmp_path, make_run):
    run = make_run(1)
    whole = run.state.save()
    folder = tmp_path / "run" / "checkpoints"
    # A kill while the next is written leaves its data, not its name in the list.
    (folder / "ckpt-9999999999.data-00000-of-00001").write_bytes(b"half")
    (folder / "ckpt-9999999999_temp").mkdir()
    assert checkpoints.latest_checkpoint(tmp_path / "run") == whole
    again = make_run(2)
    assert again.state.restore()
    assert_equal(again.values(), run.values())


def test_a_missing_newest_gives_way_to_the_one_before(tmp_path, make_run):
    run = make_run(1)
    before = run.state.save()
    values = run.values()
    run.state.examples_seen.assign(2**33 + 50)
    newest = run.state.save()
    for path in (tmp_path / "run" / "checkpoints").glob(f"{pathlib.Path(newest).name}.*"):
        path.unlink()
    assert checkpoints.latest_checkpoint(tmp_path / "run") == before
    again = make_run(2)
    assert again.state.restore()
    assert_equal(again.values(), values)
    # And the run goes on.
    again.state.examples_seen.assign(2**33 + 60)
    assert checkpoints.latest_checkpoint(tmp_path / "run") != again.state.save()
    assert checkpoints.latest_checkpoint(tmp_path / "run").endswith(str(2**33 + 60))


@pytest.mark.parametrize("damage", ["data cut", "data missing", "index cut"])
def test_damage_is_named_in_one_line(make_run, make_tiny_model, damage):
    path = make_run(1).state.save()
    data, index = pathlib.Path(f"{path}.data-00000-of-00001"), pathlib.Path(f"{path}.index")
    match damage:
        case "data cut":
            data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
        case "data missing":
            data.unlink()
        case "index cut":
            index.write_bytes(index.read_bytes()[: index.stat().st_size // 2])
    for read in (lambda: checkpoints.read_model(make_tiny_model(), path), make_run(2).state.restore):
        with pytest.raises(ValueError, match=f"{path} is damaged, or does not hold the model") as raised:
            read()
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("other", [{"resolutions": ResolutionSchedule((4, 4), 3)}, {"kernel_size": 5}])
def test_another_model_is_refused(make_run, make_tiny_model, other):
    path = make_run(1).state.save()
    for read in (lambda: checkpoints.read_model(make_tiny_model(**other), path), make_run(2, **other).state.restore):
        with pytest.raises(ValueError, match="does not hold the model that experiment.json describes") as raised:
            read()
        assert "\n" not in str(raised.value)


def test_more_blocks_than_the_checkpoint_holds_are_refused(make_run, make_tiny_model):
    """Else the finest blocks would play with fresh weights."""
    path = make_run(1, resolutions=ResolutionSchedule((2, 4), 2)).state.save()
    with pytest.raises(ValueError, match="does not hold the model"):
        checkpoints.read_model(make_tiny_model(), path)


def test_an_unreadable_newest_is_skipped_and_named(tmp_path, make_run, make_tiny_model):
    run = make_run(1)
    before = run.state.save()
    values = run.values()
    run.state.examples_seen.assign(2**33 + 50)
    newest = run.state.save()
    data = pathlib.Path(f"{newest}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:-7])
    again = make_run(2)
    assert again.state.restore() and len(again.state.skipped) == 1
    assert f"{newest} is damaged" in again.state.skipped[0]
    assert_equal(again.values(), values)
    with pytest.warns(UserWarning, match="Skipped: .* is damaged"):
        assert checkpoints.read_newest_model(make_tiny_model(), tmp_path / "run") == (2**33 + 1, 1, 1.25)
    # The next one replaces nothing that is good.
    again.state.examples_seen.assign(2**33 + 60)
    assert again.state.save() == checkpoints.latest_checkpoint(tmp_path / "run") != before


def test_a_damaged_list_gives_way_to_what_is_there(tmp_path, make_run):
    run = make_run(1)
    for examples in (9, 100, 20):
        run.state.examples_seen.assign(examples)
        run.state.save()
    (tmp_path / "run" / "checkpoints" / "checkpoint").write_text("model_chec")
    assert checkpoints.latest_checkpoint(tmp_path / "run").endswith("ckpt-100")
    again = make_run(2)
    assert again.state.restore() and int(again.state.examples_seen) == 100


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_found(make_run, value):
    run = make_run(1)
    assert run.state.is_finite()
    kernel = run.model.discriminator.blocks[1].first.kernel
    kernel.assign(np.where(np.arange(kernel.shape[-1]) == 2, value, kernel.numpy()))
    assert not run.state.is_finite()


def test_two_replicas_hand_over_to_one(make_run, mirrored):
    two = make_run(1, strategy=mirrored)
    two.state.save()
    one = make_run(2)
    assert one.state.restore()
    assert_equal(one.values(), two.values())
