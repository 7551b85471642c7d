"""What an exception says of a configuration: a mistake for certain, or only of this computer.

The machines have packages, files and addresses that this computer lacks, and may lack what is here.
"""

import errno
import os
import traceback
from dataclasses import dataclass

from ..settings.trait_words import in_words

# the machines have the same ipyparallel; and what IPython has no more, it has nowhere
OF_BOTH_SIDES = ("ipyparallel", "IPython")
ADDRESSES = (errno.EADDRINUSE, errno.EADDRNOTAVAIL)


@dataclass(frozen=True)
class Mistake:
    """`text` says where and what. Not `certain`: the machines may be able to do what this can't."""

    text: str
    certain: bool


def judged(error: BaseException, folder: str) -> Mistake:
    """Judge what ended ipcontroller or ipengine; files of the `folder` are the configuration's."""
    if isinstance(error, SystemExit):
        return Mistake(f"{_place(error, folder)}it ends right away, with status {error.code}", True)
    said = str(error.msg if isinstance(error, SyntaxError) else error).strip()
    said = in_words(said.partition("\n")[0])
    text = f"{_place(error, folder)}{type(error).__name__}: {said}"
    return Mistake(text, certain=not _may_be_of_this_computer(error))


def _may_be_of_this_computer(error: BaseException) -> bool:
    if isinstance(error, ModuleNotFoundError):
        return (error.name or "").split(".")[0] not in OF_BOTH_SIDES
    frames = traceback.extract_tb(error.__traceback__)
    if frames and os.path.dirname(frames[-1].filename) == os.path.dirname(__file__):
        return True  # the trial's own failure, with a newer ipyparallel perhaps
    return isinstance(error, OSError) or getattr(error, "errno", None) in ADDRESSES


def _place(error: BaseException, folder: str) -> str:
    """Return file and line of the configuration that an exception came from, if it did."""
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(folder):
        return f"{os.path.basename(error.filename)}, line {error.lineno}: "
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(folder):
            return f"{os.path.basename(frame.filename)}, line {frame.lineno}: "
    return ""
