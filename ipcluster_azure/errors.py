"""Everything that can go wrong, as one tree.

    LauncherError (ipyparallel's; Exception where no launchers run)
    └── AzureLauncherError
        ├── ConfigurationError (ValueError)       a setting is impossible, misspelt or missing
        ├── LoginError                            no credential, or Azure refused it
        ├── AccessDenied (PermissionError)        logged in, but a permission is missing
        ├── EndpointUnreachable (ConnectionError) no answer from the Resource Manager
        ├── QuotaExceeded                         the subscription's quota is too small
        ├── CapacityUnavailable                   Azure has no such machine there now
        ├── RequestRefused                        any other refusal by Azure
        ├── MachineFailed                         a VM was created but is of no use
        │   ├── BootTimeout (TimeoutError)        it never answered over SSH
        │   ├── HostKeyMismatch                   something else answered in its place
        │   └── BootstrapFailed                   it answered, but could not be set up
        ├── EnginesMissing                        fewer engines registered than are needed
        ├── RecordDamaged                         a cluster's record can't be read
        ├── RecordOfOtherVersion                  a cluster's record is of a format unknown here
        └── ClusterStopped                        the cluster was stopped while it was starting

Azure's own exceptions are mapped in error_mapping.py, asyncssh's in connect.py,
connection.py and keys.py, and nowhere else.
Every message says what failed, in which state, and what to do next.
"""

from typing import TYPE_CHECKING

from . import process

if TYPE_CHECKING:
    from .endpoint import RecordCore

if process.launchers_run_here:
    from ipyparallel.cluster.launcher import LauncherError
else:
    LauncherError = Exception


class AzureLauncherError(LauncherError):  # type: ignore[misc]
    """Base class: catch this to catch all that this package raises on purpose."""


class ConfigurationError(AzureLauncherError, ValueError):
    """A setting is impossible, misspelt or missing; raised before anything is created."""


class LoginError(AzureLauncherError):
    """No credential was found, or Azure refused the one that was."""


class AccessDenied(AzureLauncherError, PermissionError):
    """The credential is good but lacks a permission, or the subscription is not visible to it."""


class EndpointUnreachable(AzureLauncherError, ConnectionError):
    """The Resource Manager endpoint does not answer."""


class QuotaExceeded(AzureLauncherError):
    """The subscription's quota does not allow as many cores or addresses as requested."""


class CapacityUnavailable(AzureLauncherError):
    """Azure has no machine of that size in that place at the moment."""


# what another size, zone or family may help against
NO_ROOM = (QuotaExceeded, CapacityUnavailable)


class RequestRefused(AzureLauncherError):
    """Azure refused a request for a reason that has no class of its own.

    `code` is Azure's error code, or an empty string.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class MachineFailed(AzureLauncherError):
    """A virtual machine was created, but can't be used."""


class BootTimeout(MachineFailed, TimeoutError):
    """A virtual machine did not answer over SSH within boot_timeout_s.

    `message` says that, `causes` what may have caused it; the text of the error is both.
    """

    def __init__(self, message: str, causes: str = "") -> None:
        super().__init__(f"{message} {causes}" if causes else message)
        self.message, self.causes = message, causes


class HostKeyMismatch(MachineFailed):
    """The SSH server's host key is not the one that was made for this machine."""


class BootstrapFailed(MachineFailed):
    """A virtual machine answers, but setting it up failed; the message holds its output."""


class EnginesMissing(AzureLauncherError):
    """Fewer engines registered with the controller than min_engines asks for."""


class RecordDamaged(AzureLauncherError):
    """A cluster's record was cut off or overwritten; its resources are found by their tags."""


class RecordOfOtherVersion(AzureLauncherError):
    """A cluster's record is of a format that this version does not know.

    `core` is what all formats have in common: enough to delete the cluster.
    """

    def __init__(self, message: str, core: "RecordCore") -> None:
        super().__init__(message)
        self.core = core


class ClusterStopped(AzureLauncherError):
    """The cluster was stopped while it was still starting."""
