"""What every command does first: TensorFlow imported quickly and quietly, and nothing left changed by that."""

import subprocess
import sys

PROGRAM = """
import gc, sys
from gansynth_tf.cli import entry
entry.load_tensorflow()
assert gc.isenabled()
assert "sklearn" not in sys.modules and "matplotlib" not in sys.modules
import matplotlib, sklearn, tensorflow
assert sklearn.__version__ and matplotlib.__version__ and tensorflow.constant(3.0).numpy() == 3
print("done")
"""


def test_importing_tensorflow_leaves_no_trace():
    finished = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (finished.returncode, finished.stdout) == (0, "done\n"), finished.stderr
    assert finished.stderr == ""
