"""Standard output that may go away: a pipe whose reader has enough, a file on a full disk."""

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TextIO

FAILURE = 1  # exit status


class OutputClosed(Exception):
    """Nothing that is printed arrives any more, as in `ipcluster-azure logs | head`.

    It is no OSError: that could be taken for the end of a connection.
    """


class Output:
    """Stands for a text stream. Once nobody reads that, it raises OutputClosed at the next write,
    and all that is written then is lost: the interpreter would fail at it once more at its end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose_the_rest(error)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._lose_the_rest(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose_the_rest(self, error: OSError) -> NoReturn:
        self.failure = error
        with suppress(io.UnsupportedOperation):  # there is none where a test has put its own
            descriptor = os.open(os.devnull, os.O_WRONLY)
            os.dup2(descriptor, self._stream.fileno())
            os.close(descriptor)
        raise OutputClosed from None


class LogHandler(logging.StreamHandler):  # type: ignore[type-arg]  # no generic in Python 3.10
    """Logs to a stream; when nobody reads that any more, the work that is told of goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if not isinstance(sys.exc_info()[1], OutputClosed | OSError):
            super().handleError(record)


@contextmanager
def output_that_may_close() -> Iterator[None]:
    """Run a command, and see to all that it has printed before it ends.

    Without a reader it ends as if it had one, with status 0 if printing was all that was left to
    do: the reader has what it wanted. Any other failure to write is said in one line, status 1.
    """
    if sys.stdout is None:  # closed by `>&-`
        yield
        return
    output, own = Output(sys.stdout), sys.stdout
    sys.stdout, ending = output, None
    try:
        yield
    except OutputClosed:
        pass
    except SystemExit as exit_:
        ending = exit_
    finally:
        with suppress(OutputClosed):
            output.flush()
        sys.stdout = own
    if output.failure is not None and not isinstance(output.failure, BrokenPipeError):
        reason = output.failure.strerror or output.failure
        print(f"ipcluster-azure: standard output can't be written: {reason}.", file=sys.stderr)
        sys.exit(FAILURE)
    if ending is not None:
        raise ending
