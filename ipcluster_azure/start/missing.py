"""Engines that do not come: why, in words."""

from collections.abc import Mapping

from ..errors import BootTimeout


def missing_because(registered: int, n: int, failures: Mapping[str, BaseException]) -> str:
    """Say how many of the n engines there are, and what is wrong with each of the machines."""
    return f"{registered} of {n} engines registered; missing because: {_told(failures)}"


def _told(failures: Mapping[str, BaseException]) -> str:
    """What is wrong with each machine, and behind it once what may have caused time-outs."""
    reasons, causes = [], dict[str, None]()
    for name, error in sorted(failures.items()):
        if isinstance(error, BootTimeout):
            reasons.append(f"{name}: {error.message}")
            causes[error.causes] = None
        else:
            reasons.append(f"{name}: {error}")
    return " ".join(["; ".join(reasons), *filter(None, causes)])
