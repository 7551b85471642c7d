"""Why a build failed, on one line, from what uv, a build backend or git has written."""

import re

LONGEST = 400  # characters
FATAL = "fatal:"
NO_LOGIN = re.compile(r"could not read (?:Username|Password) for '([^']*)'")
# how uv begins an error, its causes, and its own words on a backend's failure
ERROR = re.compile(r"(error:|\u00d7) ")
MARK = re.compile(r"(error:|cause:|\u00d7|[\u251c\u2570]\u2500\u25b6) ")
OBVIOUS = re.compile(r"Failed to build `[^`]*`$")  # where `...` is our copy
BY_BACKEND = "The build backend returned an error"
TRACEBACK = "Traceback (most recent call last):"
RAISED = re.compile(r"(\w+\.)*[A-Z]\w*(: |$)")  # how a traceback ends


def reason(output: str) -> str:
    """Return it; nothing if nothing was written."""
    lines = [line.strip() for line in output.splitlines()]
    lines = [line for line in lines if line]
    return (_of_git(lines) or _of_uv(lines) or next(reversed(lines), ""))[:LONGEST]


def _of_git(lines: list[str]) -> str:
    """ssh and others write their reason before git's own, that a repository can't be read."""
    at = next((at for at, line in enumerate(lines) if line.startswith(FATAL)), None)
    if at is None:
        return ""
    if "Could not read from remote" in lines[at] and at > 0:
        at -= 1
    if wanted := NO_LOGIN.search(lines[at]):
        return f"{wanted[1]} refuses the login that git has for it here, or git has none"
    return lines[at].removeprefix(FATAL).strip()


def _of_uv(lines: list[str]) -> str:
    """What a backend wrote stands before uv's own error, which says no more than that it did."""
    starts = [at for at, line in enumerate(lines) if ERROR.match(line)]
    if not starts:
        return ""
    error = lines[starts[-1] :]
    if starts[-1] > 0 and any(BY_BACKEND in line for line in error):
        return _of_backend(lines[: starts[-1]])
    parts: list[str] = []
    for line in error:
        if line.startswith("hint:"):
            break
        if MARK.match(line):
            parts.append(MARK.sub("", line, count=1))
        else:  # an older uv breaks long lines
            parts[-1] += f" {line}"
    return ": ".join(part for part in parts if not OBVIOUS.match(part))


def _of_backend(lines: list[str]) -> str:
    """Its last word. That is the end of its traceback, if it wrote one: what it has printed before
    comes through a pipe of its own, and may be later."""
    if TRACEBACK in lines and not ERROR.match(lines[-1]):
        at = len(lines) - lines[::-1].index(TRACEBACK)
        return next(filter(RAISED.match, lines[at:]), lines[-1])
    return lines[-1]
