"""uv as a child process, ended when it takes too long."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import uv

from ..errors import ConfigurationError
from .indexes import scrubbed

LIMIT_S = 300.0  # for a resolution with nothing in the cache, over a slow line


class UvFailed(Exception):
    """uv ended with an error; `said` is what it wrote on it."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def run_uv(
    arguments: Sequence[str | Path],
    environment: Mapping[str, str],
    folder: Path,
    limit_s: float = LIMIT_S,
) -> str:
    """Run it in `folder`, and return what it writes to its standard output.

    Nothing secret may be among the arguments. Raises UvFailed, and ConfigurationError if it doesn't
    end in time.
    """
    command = [uv.find_uv_bin(), *map(str, arguments), "--no-progress", "--color=never"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            cwd=folder,
            env=environment,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"`uv {' '.join(map(str, arguments[:2]))}` did not end within {limit_s:.0f} s. See "
            "whether the package indexes that pip and uv are configured with here answer."
        ) from None
    if done.returncode != 0:
        raise UvFailed(scrubbed(done.stderr.strip()))
    return done.stdout


def causes(said: str) -> list[str]:
    """What uv wrote on an error, a line for each cause, without warnings and hints."""
    lines = [line.strip() for line in said.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("warning:", "hint:"))]
    for mark in ("error:", "cause:", "Caused by:"):
        lines = [line.removeprefix(mark).strip() for line in lines]
    return lines


def one_line(said: str, longest: int = 500) -> str:
    """What uv wrote on an error, for a message of one line."""
    text = " ".join(causes(said)).rstrip(".")
    return text if len(text) <= longest else text[: longest - 3] + "..."
