"""ipyparallel's launcher contract, translated into calls on a deployment.

A launcher keeps nothing but JSON, and reads nothing that another keeps: its calls run on different
event loops (`start_cluster_sync` makes one for each) and in different processes (`ipcluster stop`).
All else is in the record; what a start still waits for is in start/, which both launchers call.
Importing this module must stay cheap, since every `ipcluster` command does: azure.* and asyncssh
are imported where they are needed.
"""

from .bad_values import tell_in_words
from .caller import ready_for_signals
from .controller_launcher import AzureVMControllerLauncher
from .engine_set_launcher import AzureVMEngineSetLauncher

__all__ = ["AzureVMControllerLauncher", "AzureVMEngineSetLauncher"]

ready_for_signals()
tell_in_words()
