"""Every module imports only what is below it, is short, and has a name that says what it is."""

import ast
import pathlib
import textwrap

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "gansynth_tf"

# The layers of docs/architecture.md, lowest first. A module may import those of lower layers, and those that stand
# before it in its own folder or outside of folders.
LAYERS = (
    ("files", "hparams", "audio", "pitches", "compiled"),
    (
        "data/notes", "data/filters", "data/shards", "data/records", "data/grouping", "data/mixing", "data/pipeline",
        "data/sf2", "data/sf3",
        "data/rendering", "data/soundfont", "data/labels", "data/pitch_detection", "data/audio_folder",
        "data/beam_folder", "data/selection", "data/nsynth", "data/report",
    ),
    ("spectral", "mel", "representations", "normalizers"),
    ("schedules", "layers", "networks", "losses", "latents"),
    (
        "model", "pitch_classifier",
        "baselines/note_model", "baselines/autoencoder", "baselines/distributions", "baselines/wavegan",
        "baselines/wavenet", "baselines/wavenet_sampling", "baselines/wavenet_autoencoder", "baselines/wavenet_models",
        "baselines/spectral_autoencoder",
    ),
    (
        "training/strategy", "training/cluster", "training/costs", "training/checkpoints", "training/keeping",
        "training/reporting", "training/transfer", "training/objectives", "training/steps",
        "training/baseline_steps", "training/loop", "training/classifier_training",
    ),
    (
        "generation/smf", "generation/midi", "generation/notes", "generation/instruments", "generation/levels",
        "generation/looping", "generation/tune", "generation/synthesis", "generation/sound_files", "generation/writing",
        "evaluation/pitch_metrics", "evaluation/diversity", "evaluation/evaluate", "evaluation/fid", "evaluation/kid",
        "evaluation/inception_score", "evaluation/pitch_accuracy", "evaluation/ndb", "evaluation/precision_recall",
        "evaluation/memorisation", "evaluation/phase_coherence", "evaluation/levels", "evaluation/bootstrap",
        "evaluation/features", "evaluation/classifier", "evaluation/note_sets", "evaluation/scoring",
        "evaluation/table",
        "exploration/directions", "exploration/effects", "exploration/sliders", "exploration/specgrams",
        "exploration/nearest", "exploration/encoding",
        "rainbow", "folding", "plots", "snapshots", "warmup", "serving", "lite", "serving_baselines", "export",
        "packed",
    ),
    (
        "settings", "magenta_folders", "magenta_import", "build_data", "build_baselines", "build", "build_training",
        "build_evaluation", "build_classifier",
    ),
    (
        "cli/entry", "cli/prepare", "cli/plan", "cli/train", "cli/generate", "cli/plot", "cli/export", "cli/evaluate",
        "cli/explore", "cli/encode", "cli/autoencode",
        "cli/convert", "cli/pack", "cli/train_classifier", "cli/quickstart",
    ),
)  # fmt: skip
LAYER = {module: number for number, modules in enumerate(LAYERS) for module in modules}
ORDER = [module for modules in LAYERS for module in modules]
SIGNAL_TO_MODEL, TRAINING, USES, COMPOSITION = (2, 3, 4), 5, 6, 7

SOURCES = sorted(str(path.relative_to(PACKAGE).with_suffix("")) for path in PACKAGE.rglob("*.py"))
MODULES = [source for source in SOURCES if not source.endswith("__init__")]


def folder(module: str) -> str:
    return module.rpartition("/")[0]


def imports(tree: ast.Module, module: str) -> set[str]:
    """The package's modules that a module imports anywhere, functions and `if TYPE_CHECKING` included."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            here = ("gansynth_tf/" + module).split("/")[: -node.level] if node.level else []
            source = ".".join([*here, *filter(None, [node.module])])
            # `from package import name`: the name is a module, or something inside the package's __init__.
            names |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
    paths = {name.replace(".", "/") for name in names}
    inside = {path.removeprefix("gansynth_tf/") for path in paths if path.startswith("gansynth_tf/")}
    return inside & set(MODULES)


def forbidden(module: str, imported: set[str]) -> list[str]:
    """What a module must not import, with the reason."""
    complaints = []
    for other in sorted(imported - {module}):
        lower = LAYER[other] < LAYER[module]
        near = folder(other) in ("", folder(module))
        earlier = near and ORDER.index(other) < ORDER.index(module)
        if not lower and not (LAYER[other] == LAYER[module] and earlier):
            complaints.append(f"{module} (layer {LAYER[module]}) imports {other} (layer {LAYER[other]})")
        if LAYER[module] in SIGNAL_TO_MODEL and LAYER[other] == LAYER["data/records"]:
            complaints.append(f"{module} imports {other}: data and signal never meet")
        if LAYER[module] == USES and LAYER[other] == TRAINING:
            complaints.append(f"{module} imports {other}: using a model needs no training code")
        if other == "hparams" and LAYER[module] < COMPOSITION:
            complaints.append(f"{module} imports {other}: library modules take explicit arguments")
    return complaints


def long_functions(tree: ast.Module) -> list[str]:
    """Functions of more than 40 lines, their docstrings not counted."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node) is not None:
                lines -= node.body[0].end_lineno - node.body[0].lineno + 1
            if lines > 40:
                found.append(f"{node.name} ({lines} lines)")
    return found


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {source: ast.parse((PACKAGE / f"{source}.py").read_text()) for source in SOURCES}


# ---------------------------------------------------------------------------------------------------- the package


def test_every_module_has_a_layer():
    assert sorted(set(MODULES) - set(LAYER)) == [], "give these a layer in LAYERS, and in docs/architecture.md"
    assert sorted(set(LAYER) - set(MODULES)) == [], "these are in LAYERS, but do not exist"
    assert len(ORDER) == len(LAYER)


def test_modules_import_what_is_below_them(trees):
    listed = [module for module in MODULES if module in LAYER]
    complaints = [text for module in listed for text in forbidden(module, imports(trees[module], module) & set(LAYER))]
    assert not complaints, "\n".join(complaints)


def test_packages_export_nothing_from_below(trees):
    for source in SOURCES:
        if source.endswith("/__init__"):
            assert not imports(trees[source], source), f"{source} imports; name the module where it is used"


def test_modules_and_functions_are_short(trees):
    long = [f"{source}: {name}" for source in SOURCES for name in long_functions(trees[source])]
    lines = {source: len((PACKAGE / f"{source}.py").read_text().splitlines()) for source in SOURCES}
    long += [f"{source} ({count} lines)" for source, count in lines.items() if count > 400]
    assert not long, "\n".join(long)


def test_names_say_what_modules_are():
    empty_words = {"utils", "util", "helpers", "helper", "common", "misc", "base", "registry", "manager"}
    assert not [source for source in SOURCES if empty_words & set(pathlib.PurePath(source).name.split("_"))]
    assert not [source for source in SOURCES if empty_words & set(pathlib.PurePath(source).parts)]


def test_every_module_says_what_it_is(trees):
    assert not [source for source in SOURCES if not ast.get_docstring(trees[source])]


def test_no_assert_outside_tests(trees):
    assert not [source for source in SOURCES if any(isinstance(node, ast.Assert) for node in ast.walk(trees[source]))]


def test_the_architecture_page_has_the_same_layers():
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = [row.split("|")[1:3] for row in page.splitlines() if row.startswith("| ") and row[2].isdigit()]
    assert [int(number) for number, _ in rows] == list(range(len(LAYERS)))
    for (number, names), modules in zip(rows, LAYERS, strict=True):
        written = [name.strip().strip("`") for name in names.split(",")]
        folders = {name.removesuffix("/*") for name in written if name.endswith("/*")}
        expected = {module for module in modules if folder(module) not in folders}
        assert {name for name in written if not name.endswith("/*")} == expected, f"layer {number.strip()}"
        assert {folder(module) for module in modules} - {""} >= folders


# ---------------------------------------------------------------------------------------------------- these rules


@pytest.mark.parametrize(
    ("module", "text", "reason"),
    [
        ("spectral", "from gansynth_tf import model", "layer 2"),
        ("mel", "from gansynth_tf.representations import MelIF", "layer 2"),
        ("mel", "from gansynth_tf.data import records", "never meet"),
        ("plots", "def f():\n    import gansynth_tf.training.loop", "no training code"),
        ("evaluation/evaluate", "from gansynth_tf import plots", "layer 6"),
        ("model", "if TYPE_CHECKING:\n    from gansynth_tf.hparams import HParams", "explicit arguments"),
        ("training/steps", "from . import loop", "layer 5"),
        ("training/steps", "from .. import build", "layer 7"),
    ],
)
def test_a_forbidden_import_is_found(module, text, reason):
    complaints = forbidden(module, imports(ast.parse(text), module))
    assert len(complaints) == 1 and reason in complaints[0]


def test_an_allowed_import_is_allowed():
    text = "from gansynth_tf import files, spectral\nimport numpy\nfrom gansynth_tf.mel import mel_to_linear_weights"
    assert imports(ast.parse(text), "representations") == {"files", "spectral", "mel"}
    assert not forbidden("representations", {"files", "spectral", "mel"})


def test_a_long_function_is_found():
    body = textwrap.indent("x = 1\n" * 40, "    ")
    assert long_functions(ast.parse(f"def f():\n{body}")) == ["f (41 lines)"]
    assert long_functions(ast.parse(f'def f():\n    """One.\n\n    Two.\n    """\n{body[:-10]}')) == []
