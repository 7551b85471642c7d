"""What ipcluster says of a value on its command line or in its configuration that can't be.

Such a value of ipyparallel's own, -n for example, ends ipcluster before it calls any launcher.
"""

import logging

from ..settings.trait_words import in_words
from .caller import is_launching

COMMANDS = ("IPClusterStart", "IPClusterEngines")  # which can be given values for us
SAID = "Bad config encountered during initialization: %s"  # by traitlets' catch_config_error


def tell_in_words() -> None:
    """Put traitlets' error in words, if an ipcluster command is being launched."""
    if is_launching():
        for name in COMMANDS:
            logging.getLogger(name).addFilter(_put_in_words)


def _put_in_words(entry: logging.LogRecord) -> bool:
    if entry.msg == SAID and isinstance(entry.args, tuple):
        entry.args = tuple(in_words(str(error)) for error in entry.args)
    return True
