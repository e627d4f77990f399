"""librosa, whose compiled functions two processes must not build at once."""

import contextlib
import functools
import os
import pathlib
import tempfile
import types


def lock_path() -> pathlib.Path:
    """The file that is locked while a process of this user loads librosa."""
    return pathlib.Path(tempfile.gettempdir()) / f"gansynth_tf_librosa_{os.getuid()}.lock"


@functools.cache
def load_librosa() -> types.ModuleType:
    """Imports librosa with all that it compiles, while other processes wait.

    Its vectorised functions are compiled at the first import after an installation and kept by numba in two files, the
    function and a wrapper that calls it by a name with the compiling process's own count in it. Of two processes that
    compile at once, each may leave one of the files; every later process would then call address 0 and crash.

    Returns:
        The module `librosa`.
    """
    import fcntl

    with lock_path().open("a") as lock:
        with contextlib.suppress(OSError):  # Some network file systems have no locks.
            fcntl.flock(lock, fcntl.LOCK_EX)
        import librosa

        # Attributes are imported when they are first asked for: these bring in every module that compiles.
        _ = librosa.pyin, librosa.cqt, librosa.zero_crossings, librosa.sequence.viterbi, librosa.util.localmax
        _ = librosa.feature.melspectrogram
    return librosa
