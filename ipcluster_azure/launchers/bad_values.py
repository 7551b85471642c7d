"""Values given to ipcluster itself that can't be, or that it accepts and hands to nobody."""

import logging
from pathlib import Path
from typing import Any

from traitlets.config import Config

from ..errors import ConfigurationError
from ..settings.placement import is_set
from ..settings.trait_words import in_words
from ..settings.values import A_DAY_S
from .caller import is_launching

COMMANDS = ("IPClusterStart", "IPClusterEngines")  # which can be given values for us
# sections of other programs, and where those programs read them
OF_OTHERS = {
    **dict.fromkeys(("IPController", "HeartMonitor", "Hub", "TaskScheduler"), "ipcontroller"),
    "IPEngine": "ipengine",
}
SAID = "Bad config encountered during initialization: %s"  # by traitlets' catch_config_error


def tell_in_words() -> None:
    """Put traitlets' error in words, if an ipcluster command is being launched.

    A value of ipyparallel's own, -n for example, ends ipcluster before it calls any launcher.
    """
    if is_launching():
        for name in COMMANDS:
            logging.getLogger(name).addFilter(_put_in_words)


def _put_in_words(entry: logging.LogRecord) -> bool:
    if entry.msg == SAID and isinstance(entry.args, tuple):
        entry.args = tuple(in_words(str(error)) for error in entry.args)
    return True


def check_waits(cluster: Any) -> None:
    """Raise ConfigurationError if ipyparallel would wait for ever, with machines that cost."""
    for name in ("delay", "engine_timeout"):
        wait_s = getattr(cluster, name, 0)
        if not 0 <= wait_s <= A_DAY_S:
            raise ConfigurationError(
                f"Cluster.{name} must be a number of seconds from 0 to {A_DAY_S:,}, not {wait_s}."
            )


def check_sections(config: Config, profile_dir: Path) -> None:
    """Raise ConfigurationError for settings of ipcontroller or ipengine that only ipcluster reads.

    What is in ipython_config.py is read by all of them, and does come to the machines.
    """
    from ..ssh.profile_files import engine_files

    for section, program in OF_OTHERS.items():
        for name, value in config.get(section, {}).items():
            if is_set(value) and "ipython_config.py" not in engine_files(profile_dir):
                raise ConfigurationError(
                    f"c.{section}.{name} has no effect on ipcluster: it is a setting of {program}. "
                    f"Write it into {profile_dir / f'{program}_config.py'}, or add "
                    f"--{section}.{name}=... to {program[2:]}_args."
                )
