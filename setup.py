"""Packaging: library, command-line tools, presets and package data."""

import pathlib

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).parent

COMMANDS = (
    "prepare", "train", "generate", "plot", "export", "evaluate", "explore", "encode", "autoencode", "convert",
    "train_classifier", "pack",
)  # fmt: skip

class BuildWithPresets(build_py):
    """Puts the presets of `configs/` into the package, where an installed package looks for them."""

    def run(self):
        super().run()
        if not self.editable_mode:  # A checkout finds them beside the package.
            target = pathlib.Path(self.build_lib) / "gansynth_tf" / "configs"
            self.mkpath(str(target))
            for preset in sorted((HERE / "configs").glob("*.py")):
                self.copy_file(str(preset), str(target / preset.name))


setup(
    name="gansynth_tf",
    version="0.1.0",
    description="GANSynth: adversarial neural audio synthesis, in TensorFlow 2 and Keras 3",
    long_description=(HERE / "README.md").read_text() if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["gansynth_tf", "gansynth_tf.*"]),
    package_dir={"": "."},
    cmdclass={"build_py": BuildWithPresets},
    package_data={"gansynth_tf": ["box/*"], "gansynth_tf.data": ["*.csv"]},
    install_requires=[
        "absl-py",
        "joblib>=1.3",
        "keras>=3.5",
        "librosa>=0.10",
        "matplotlib>=3.7",
        "midirenderer>=0.1.3",
        "mido>=1.3",
        "numpy>=1.26",
        "pretty_midi>=0.2.10",
        "scikit-learn>=1.3",
        "scipy>=1.11",
        "setuptools<81",  # pretty_midi imports pkg_resources, which newer ones no longer have.
        "soundfile>=0.12",
        "soxr>=0.3",
        "tensorboard",
        "tensorflow>=2.18",
        "tensorflow-datasets>=4.9",
        "tensorflow-probability[tf]>=0.25",
        "tqdm",
    ],
    extras_require={
        "beam": ["apache-beam>=2.50"],
        "test": [
            "ai-edge-litert>=1.0",
            "hypothesis>=6",
            "pyloudnorm>=0.1.1",
            "pytest>=8",
            "pytest-xdist>=3",
            "ruff>=0.6",
            "tensorflow-hub>=0.16",
            "tensorflow-serving-api>=2.18",
        ]
    },
    entry_points={
        "console_scripts": [f"gansynth_{name} = gansynth_tf.cli.{name}:console_entry_point" for name in COMMANDS]
    },
)
