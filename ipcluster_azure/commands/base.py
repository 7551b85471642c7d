"""What the subcommands of ipcluster-azure have in common."""

import sys
from typing import NoReturn

from traitlets.config import Application

from ..errors import AzureLauncherError


def say(message: str) -> None:
    """One line for the user; standard output is for what was asked for."""
    print(f"ipcluster-azure: {message}", file=sys.stderr)


def say_and_exit(message: str, status: int = 1) -> NoReturn:
    say(message)
    sys.exit(status)


class Command(Application):
    """A subcommand: act() does it; an AzureLauncherError becomes one line and exit status 1."""

    aliases = {}  # noqa: RUF012 - traitlets' own form; its --log-level and such are not ours
    flags = {}  # noqa: RUF012

    def start(self) -> None:
        self._refuse_unknown()
        try:
            self.act()
        except AzureLauncherError as error:
            say_and_exit(str(error))
        except KeyboardInterrupt:
            say_and_exit("interrupted.", 130)

    def act(self) -> None:
        raise NotImplementedError

    def _refuse_unknown(self) -> None:
        """traitlets drops options that it does not know without a word."""
        sections = {kind.__name__ for kind in type(self).__mro__}
        unknown = [*self.extra_args, *(set(self.config) - sections)]
        if unknown:
            options = ", ".join(f"--{name}" for name in sorted([*self.aliases, *self.flags]))
            command = self.name.rpartition("-")[2]
            say_and_exit(f"{command} takes {options}, not {unknown[0]!r}.")
