"""A launcher's start and stop, each to its end: what failed is undone or said, and nothing hangs.

An ipcluster command ends then with exit status 1 (ending.py), a program gets the error.
"""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from ..errors import AzureLauncherError, ClusterStopped, RecordDamaged
from ..progress import notices_to
from ..record.abort import as_stopped
from .caller import Caller, caller, ipcluster_app, is_stopping
from .cluster_file import write_in_one_piece
from .ending import end_command, keep_file, leave_out_repetitions
from .on_machines import is_claimed
from .server_errors import for_this_program
from .start_view import progress_of

if TYPE_CHECKING:
    from .base import AzureVMBase


async def start_or_undo(launcher: "AzureVMBase", starting: Awaitable[None]) -> None:
    """Await a start; undo it if it fails, unless it fails because the cluster is deleted."""
    notices_to(launcher.log)
    if launcher.parent is not None:
        write_in_one_piece(launcher.parent)
    launcher.is_starting = True
    try:
        with progress_of(launcher).reminding():
            await starting
    except GeneratorExit:  # its loop was closed; whoever did that stops the cluster
        raise
    except BaseException as error:
        being_deleted = launcher.being_deleted()
        stays = is_claimed(launcher)  # what the failure of a start leaves then is no fault
        undone = being_deleted or await _undo_or_say(launcher)
        app = ipcluster_app(launcher)
        if not isinstance(error, Exception):
            raise
        if being_deleted:
            error = as_stopped(launcher.record_file, error)
        if app is None:
            raise for_this_program(error) from (error.__cause__ or error.__context__)
        if (being_deleted or isinstance(error, ClusterStopped)) and is_stopping(app):
            # it ends by itself once its stop is through; tornado passes this over
            raise asyncio.CancelledError from error
        launcher.log.critical("%s", error, exc_info=_if_unexpected(error))
        leave_out_repetitions(app)
        end_command(app, leave=launcher.parent if stays or not undone else None)
    else:
        launcher.is_starting = False


async def _undo_or_say(launcher: "AzureVMBase") -> bool:
    """Undo a failed start; if that fails too, say it, and return False: the record stays."""
    launcher.ends_here = True
    try:
        await launcher.undo()
    except Exception as error:
        _say_undeleted(launcher, error, "run `ipcluster stop`")
        return False
    return True


async def stop_or_say(launcher: "AzureVMBase", stopping: Awaitable[None]) -> None:
    """Await a stop. If it fails the record stays, and the stop can be repeated."""
    notices_to(launcher.log)
    launcher.ends_here = True
    try:
        await stopping
    except Exception as error:
        launcher.ends_here = False
        _say_undeleted(launcher, error, "run `ipcluster stop` again")
        app = ipcluster_app(launcher)
        if caller() is Caller.CLEAN_UP:
            keep_file(launcher.parent)
        elif app is not None:
            end_command(app, leave=launcher.parent)
        else:
            raise for_this_program(error) from (error.__cause__ or error.__context__)
    else:
        launcher.stopped()


def _say_undeleted(launcher: "AzureVMBase", error: Exception, advice: str) -> None:
    if isinstance(error, RecordDamaged):
        advice = "run `ipcluster-azure reap`"
    launcher.log.critical(
        "What is on Azure could not be deleted, and may cost money; %s. %s",
        advice,
        error,
        exc_info=_if_unexpected(error),
    )


def _if_unexpected(error: BaseException) -> bool:
    """Return whether only a traceback tells what happened: the mistake is ours, not Azure's or the
    user's."""
    return not isinstance(error, AzureLauncherError)
