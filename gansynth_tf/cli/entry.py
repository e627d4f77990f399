"""What every command shares: flags, one-line errors with exit code 2, quiet TensorFlow."""

import errno
import os
import signal
import sys
from collections.abc import Callable

from absl import app, flags

_FULL_DISK = "No space left on the device; free some and run the same command again."

flags.DEFINE_bool("traceback", False, "Show the Python traceback of an error.")


class UserError(Exception):
    """A mistake that a command reports in one line; libraries raise ValueError or OSError instead."""


def run(main: Callable[[], int | None]) -> None:
    """Parses the flags, runs `main`, ends the process.

    A user's mistake (ValueError, a file error) ends in one line on stderr and exit code 2; other errors keep their
    traceback.
    """
    # TensorFlow logs its build and its devices before anything useful; errors still come as exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    app.run(lambda _: _guarded(main), flags_parser=_parse_flags)


def load_tensorflow() -> None:
    """Imports TensorFlow and opens its devices with stderr closed.

    It writes about its build and missing GPUs there before anyone can ask it to be quiet; what goes wrong comes as an
    exception all the same.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow as tf

        tf.config.list_logical_devices()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _parse_flags(argv: list[str]) -> list[str]:
    try:
        rest = flags.FLAGS(argv)
    except flags.Error as error:
        _fail(f"{error} (--help lists the flags)")
    if flags.FLAGS["help"].value or flags.FLAGS["helpshort"].value or flags.FLAGS["helpfull"].value:
        app.usage(shorthelp=not flags.FLAGS["helpfull"].value, writeto_stdout=True)
        sys.exit(0)
    if len(rest) > 1:
        _fail(f"Expected flags only. Received: {' '.join(rest[1:])} (--help lists the flags)")
    return rest


def _guarded(main: Callable[[], int | None]) -> None:
    try:
        sys.exit(main())
    except (ValueError, OSError, MemoryError, UserError) as error:
        if flags.FLAGS.traceback:
            raise
        _fail(_describe(error))
    except Exception as error:  # noqa: BLE001 - TensorFlow's file errors, which cannot be named before it is imported
        if flags.FLAGS.traceback or not _is_file_error(error):
            raise
        text = str(error)
        _fail(_FULL_DISK if "space left" in text else text.splitlines()[0])


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return _FULL_DISK
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _is_file_error(error: Exception) -> bool:
    names = ("PermissionDeniedError", "ResourceExhaustedError", "NotFoundError", "FailedPreconditionError")
    return type(error).__name__ in names and type(error).__module__.startswith("tensorflow")


def _fail(text: str) -> None:
    print(f"{os.path.basename(sys.argv[0])}: {text}", file=sys.stderr)
    sys.exit(2)


class StopSignal:
    """Turns Ctrl-C and SIGTERM into a question that a loop can ask; a second Ctrl-C stops at once."""

    def __init__(self):
        self.received = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: object) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = True

    def __call__(self) -> bool:
        return self.received
