"""Settings of the machines' Python that would do nothing together. Pure."""

from ..errors import ConfigurationError
from .values import Settings

SYNC, IMAGE = "sync", "image"
LOCK = "lock"  # how a record calls what python_lock says
OF_SYNC = ("sync_python", "sync_exclude", "sync_accept", "sync_strict")


def check_environment(settings: Settings) -> None:
    """Raise ConfigurationError for settings of the machines' Python that have no effect together.

    For the controller's launcher, as one Python serves both sides.
    """
    kind = settings.python_environment
    if kind != IMAGE and settings.image_python != "python3":
        raise ConfigurationError(
            "image_python has no effect without c.AzureVMLauncher.python_environment = 'image'."
        )
    if kind == IMAGE and settings.requirements:
        raise ConfigurationError(
            "requirements have no effect with python_environment = 'image': that Python has what "
            "is installed on the image."
        )
    if settings.python_lock and kind != SYNC:
        raise ConfigurationError(
            f"python_lock has no effect with python_environment = '{kind}'. Leave that out: the "
            "file says what packages the machines get."
        )
    for name in OF_SYNC:
        if getattr(settings, name) and (kind != SYNC or settings.python_lock):
            other = "python_lock" if settings.python_lock else f"python_environment = '{kind}'"
            raise ConfigurationError(
                f"{name} has no effect with {other}: it is about the packages that are installed "
                "here. Leave out one of the two."
            )
