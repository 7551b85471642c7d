"""What ipcluster-azure and its subcommands have in common: how they refuse and how they fail."""

import importlib.metadata
import logging
import sys
from collections.abc import Generator
from contextlib import suppress
from inspect import cleandoc
from typing import NoReturn, TextIO

from traitlets import TraitError, Unicode
from traitlets.config import Application, Config

from ..errors import AzureLauncherError
from ..settings.trait_words import in_words
from .output import LogHandler, Output

FAILURE, MISTAKE, INTERRUPTED = 1, 2, 130  # exit status
HELP = frozenset(["-h", "--help", "--help-all", "--version", "-V"])


def say(message: str) -> None:
    """Print one line for the user to standard error: standard output is for what was asked for."""
    with suppress(OSError):  # nobody reads that either
        print(f"ipcluster-azure: {message}", file=sys.stderr)


def print_now(text: str) -> None:
    """Print for who reads it as it comes."""
    print(text, flush=True)


def say_and_exit(message: str, status: int = FAILURE) -> NoReturn:
    say(message)
    sys.exit(status)


def log_to_output(name: str, stream: TextIO | Output | None = None) -> logging.Logger:
    """Return a logger whose lines go to standard output, or to `stream`, as they are."""
    log = logging.getLogger(name)
    if not log.handlers:
        handler = LogHandler(stream or sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    return log


def _is_value(word: str) -> bool:
    """Return whether a word is an option's value, and not the next option: -1 is a number."""
    return not word.startswith("-") or word[1:2].isdigit()


class Command(Application):
    """A command whose mistakes and failures are one line each on standard error.

    A subclass does its work in `act`, and takes up to `most_words` words that are no options, as
    `extra_args`. An AzureLauncherError that `act` raises ends the command with
    status 1; words that the command doesn't take, and values that a trait refuses, with status 2.
    """

    version = Unicode(importlib.metadata.version("ipcluster-azure"))
    aliases = {}  # noqa: RUF012 - traitlets' own form; its --log-level and such are not ours
    flags = {}  # noqa: RUF012
    most_words = 0

    def start(self) -> None:
        try:
            self.act()
        except AzureLauncherError as error:
            say_and_exit(str(error))
        except KeyboardInterrupt:
            say_and_exit("interrupted.", INTERRUPTED)

    def act(self) -> None:
        raise NotImplementedError

    def emit_examples(self) -> Generator[str, None, None]:
        self.examples = cleandoc(self.examples)  # traitlets aligns them by the first line alone
        yield from super().emit_examples()

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        words = self.words(argv)
        if not words or words[0] not in ("help", *self.subcommands):
            self._check(words)
        super().parse_command_line(argv)

    @staticmethod
    def words(argv: list[str] | None) -> list[str]:
        """Return the words of the command line behind the command's name."""
        return sys.argv[1:] if argv is None else argv

    def update_config(self, config: Config) -> None:
        try:
            super().update_config(config)
        except TraitError as error:
            names = {trait: option for option, trait in self._traits_by_option().items()}
            for alias, target in self.aliases.items():
                names[target.rpartition(".")[2]] = f"-{alias}" if len(alias) == 1 else f"--{alias}"
            self._refuse(in_words(str(error), names))

    def _check(self, words: list[str]) -> None:
        """Refuse what traitlets would drop with a warning, or explain in terms of its own."""
        flags = {f"--{flag}" for flag in self.flags}
        flags |= {f"-{flag}" for flag in self.flags if len(flag) == 1}
        traits = self._traits_by_option()
        rest, given, left = iter(words), set(), self.most_words
        for word in rest:
            option, has_value, _ = word.partition("=")
            if option in traits:
                if not has_value and not _is_value(next(rest, "-")):
                    self._refuse(f"{option} needs a value: {option}=...")
                if traits[option] in given:
                    self._refuse(f"{option} is given twice.")
                given.add(traits[option])
            elif left and not word.startswith("-"):
                left -= 1
            elif word not in HELP and word not in flags:
                known = ", ".join(sorted([*flags, *(f"--{alias}" for alias in self.aliases)]))
                is_name = word.isidentifier() and "profile" in self.aliases and not self.most_words
                hint = f" Did you mean --profile={word}?" if is_name else ""
                self._refuse(f"{word!r} is not one of its options, {known}.{hint}")

    def _traits_by_option(self) -> dict[str, str]:
        """Option that takes a value -> its trait: --alias, and traitlets' own --Class.trait."""
        targets = {f"--{alias}": target for alias, target in self.aliases.items()}
        targets |= {
            f"-{alias}": target for alias, target in self.aliases.items() if len(alias) == 1
        }
        for kind in type(self).__mro__:
            if issubclass(kind, Application):
                names = (f"{kind.__name__}.{trait}" for trait in kind.class_traits(config=True))
                targets |= {f"--{name}": name for name in names}
        return {option: target.rpartition(".")[2] for option, target in targets.items()}

    def _refuse(self, reason: str) -> NoReturn:
        say_and_exit(f"{self.name.removeprefix('ipcluster-azure-')}: {reason}", MISTAKE)
