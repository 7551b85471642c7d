"""Whether a client that is made in this process fits the engines; others are met by the link."""

import warnings

from ..environment.versions import versions_in
from ..errors import ConfigurationError
from ..record.environment import Environment


def check_client(engines: Environment) -> None:
    """Raise ConfigurationError if functions of this process would end the engines; warn if packages
    are others whose inside travels in objects."""
    if reason := engines.foreign_client:
        raise ConfigurationError(reason)
    if difference := engines.difference(versions_in(engines.packages)):
        warnings.warn(difference, stacklevel=2)
