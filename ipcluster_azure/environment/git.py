"""What git is asked: for a commit, for a version, to take a copied project for a repository."""

import base64
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

Command = list[str | Path]
# set where a hook of git's has started us: they would have it look elsewhere
OF_A_REPOSITORY = frozenset(
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_PREFIX GIT_COMMON_DIR".split()
)
NOBODY = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
PLAIN = ("-c", "commit.gpgsign=false", "-c", f"core.hooksPath={os.devnull}")
TAG_PREFIX = re.compile(r"""^tag_prefix\s*=\s*['"]?([\w./-]*)""", re.MULTILINE)


@dataclass(frozen=True)
class Remote:
    """A repository's address, and the variables that let git in without asking anybody.

    A password is in the variables alone: the address is seen by everybody who lists processes.
    """

    url: str
    variables: Mapping[str, str]


def remote_of(url: str) -> Remote:
    """Return how to reach a repository, at an address such as git+https://user:password@host/x."""
    url = url.removeprefix("git+")
    asks_nobody = {"GIT_TERMINAL_PROMPT": "0"}
    if "GIT_SSH_COMMAND" not in os.environ:
        asks_nobody["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.password:
        return Remote(url, asks_nobody)
    host = parts.netloc.rpartition("@")[2]
    bare = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    login = f"{unquote(parts.username or '')}:{unquote(parts.password)}"
    header = f"Authorization: Basic {base64.b64encode(login.encode()).decode()}"
    given = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    return Remote(
        bare,
        {
            **asks_nobody,
            "GIT_CONFIG_COUNT": str(given + 1),
            f"GIT_CONFIG_KEY_{given}": f"http.{parts.scheme}://{host}/.extraHeader",
            f"GIT_CONFIG_VALUE_{given}": header,
        },
    )


def commands_to_get(remote: Remote, commit: str, target: Path) -> Iterable[Command]:
    """Yield what puts a commit into the folder `target`, with the tags that say its version."""
    yield ["git", "clone", "--quiet", "--no-checkout", "--", remote.url, target]
    yield ["git", "-C", target, "checkout", "--quiet", "--detach", commit]
    if (target / ".gitmodules").exists():
        yield ["git", "-C", target, "submodule", "--quiet", "update", "--init", "--recursive"]


def commands_to_keep(folder: Path, version: str) -> Iterable[Command]:
    """Yield what makes a folder a repository with all its files, for builds that ask for them.

    Its only commit has the version's tag, for those that ask for that.
    """
    git: Command = ["git", "-C", folder, *NOBODY, *PLAIN]
    yield [*git, "init", "--quiet"]
    yield [*git, "add", "--all"]
    yield [*git, "commit", "--quiet", "--allow-empty", "--message", "as it was found"]
    yield [*git, "tag", "--no-sign", f"{_tag_prefix(folder)}{version}"]


def commands_to_share(original: Path, folder: Path) -> Iterable[Command]:
    """Yield what gives a copy the history of its original, in which nothing is written."""
    bare: Command = ["--bare", "--shared", "--", original, folder / ".git"]
    yield ["git", "clone", "--quiet", *bare]
    git: Command = ["git", "-C", folder, "--git-dir=.git"]
    yield [*git, "config", "core.bare", "false"]
    yield [*git, "reset", "--quiet"]


def described(folder: Path) -> str:
    """Return what a folder's repository says of its version; nothing without one."""
    # with --dirty it would write to the index
    command = ["git", "describe", "--tags", "--long", "--always"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=without_repository(os.environ),
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _tag_prefix(folder: Path) -> str:
    """Return what stands before the version in a project's tags: versioneer has it configured."""
    for name in ("pyproject.toml", "setup.cfg"):
        with suppress(OSError):
            text = (folder / name).read_text(encoding="utf-8", errors="replace")
            if found := TAG_PREFIX.search(text):
                return found[1]
    return "v"


def without_repository(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in OF_A_REPOSITORY}
