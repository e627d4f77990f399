"""What every command shares: flags, one-line errors with exit code 2, quiet TensorFlow."""

import contextlib
import errno
import gc
import os
import signal
import sys
import textwrap
import types
import warnings
from collections.abc import Callable, Iterator

from absl import flags, logging

_FULL_DISK = "No space left on the device; free some and run the same command again."
_INTERRUPTED = 130  # The shells' exit code after Ctrl-C.

flags.DEFINE_bool("help", False, "List the flags.", short_name="h")
flags.DEFINE_bool("traceback", False, "Show the Python traceback of an error.")


def run(main: Callable[..., int | None], operands: str = "") -> None:
    """Parses the flags, runs `main`, ends the process.

    A command that takes files names them in `operands`, such as "FILE.wav", and gets the list of what was given.

    A user's mistake (ValueError, a file error) ends in one line on stderr and exit code 2; other errors keep their
    traceback.
    """
    # TensorFlow logs its build and its devices before anything useful; errors still come as exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # So that it, too, leaves nothing half-written.
    module = sys.modules[main.__module__]
    command = module.__doc__.partition(":")[0]
    warnings.showwarning = lambda message, *_: print(f"{command}: {message}", file=sys.stderr)
    try:
        given = _parse_flags(sys.argv, operands)
        if flags.FLAGS.help:
            print(_describe_flags(module, command, operands))
            sys.exit(0)
        sys.exit(main(given) if operands else main())
    except KeyboardInterrupt:
        print(f"{command}: interrupted", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    except Exception as error:  # TensorFlow's file errors cannot be named before it is imported.
        if flags.FLAGS["traceback"].value or not (_is_full_disk(error) or _is_users(error)):
            raise
        print(f"{command}: {_describe(error)}", file=sys.stderr)
        sys.exit(2)


def load_tensorflow(open_devices: bool = True) -> None:
    """Imports TensorFlow and opens its devices with stderr closed.

    It writes about its build and missing GPUs there before anyone can ask it to be quiet; what goes wrong comes as an
    exception all the same.

    Args:
        open_devices: False for what must itself say which devices there are, as a cluster does.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with _hidden("sklearn", "matplotlib"), _without_collection():
            import tensorflow as tf

        if open_devices:
            tf.config.list_logical_devices()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
    logging.set_verbosity(logging.ERROR)  # That a checkpoint is saved, or a stage's graph made, is no news.


@contextlib.contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Inside, importing them fails.

    Keras imports these two, if they are there, for wrappers and pictures that no command uses: a fifth of the time that
    importing TensorFlow takes.
    """
    absent = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for package in absent:
            del sys.modules[package]


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Inside, garbage is not looked for, and afterwards not among what was made there.

    Modules stay as long as the process; looking through half a million of their objects again and again is a fifth of
    the time that importing TensorFlow takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def _parse_flags(argv: list[str], operands: str) -> list[str]:
    """What was given beside the flags."""
    flags.FLAGS.set_gnu_getopt(True)  # Flags may follow files.
    try:
        rest = flags.FLAGS(argv)
    except flags.Error as error:
        raise ValueError(f"{error} (--help lists the flags)") from None
    if len(rest) > 1 and not operands:
        raise ValueError(f"Expected flags only. Received: {' '.join(rest[1:])} (--help lists the flags)")
    return rest[1:]


def _describe_flags(module: types.ModuleType, command: str, operands: str) -> str:
    """A command's purpose and its flags, each with its default."""
    own = flags.FLAGS.get_flags_for_module(module)
    usage = f"usage: {command} [--flag=value ...] {operands}".rstrip()
    lines = [module.__doc__.strip(), "", usage, ""]
    for flag in sorted(own, key=lambda flag: flag.name) + [flags.FLAGS["traceback"]]:
        default = "" if flag.default in (None, "", []) or flag.boolean else f" (default: {flag.default_as_str})"
        lines.append(f"  --{flag.name}")
        lines += textwrap.wrap(flag.help + default, 112, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


def _is_users(error: Exception) -> bool:
    """Whether the command's user, rather than its programmer, can help it."""
    if isinstance(error, ImportError):
        return "pip install" in str(error)  # An optional package that a module asked for in these words.
    if isinstance(error, (ValueError, OSError, MemoryError)):
        return True
    names = ("PermissionDeniedError", "ResourceExhaustedError", "NotFoundError", "FailedPreconditionError")
    return type(error).__name__ in names and type(error).__module__.startswith("tensorflow")


def _is_full_disk(error: BaseException) -> bool:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return full or any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def _describe(error: Exception) -> str:
    if _is_full_disk(error):
        return _FULL_DISK
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


class StopSignal:
    """Turns Ctrl-C and SIGTERM into a question that a loop can ask; a second Ctrl-C stops at once.

    Both raise KeyboardInterrupt until `wait_for_the_loop` is called: before the loop runs, nobody would ask.
    """

    def __init__(self):
        self.received = False

    def wait_for_the_loop(self) -> None:
        """From now on somebody asks."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: object) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = True

    def __call__(self) -> bool:
        return self.received
