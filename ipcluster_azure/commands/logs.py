"""`ipcluster-azure logs`: the logs of a cluster, as they are and as they grow."""

import asyncio
from datetime import datetime, timezone

from traitlets import Bool, Unicode

from ..clusters.boot_logs import show_boot_logs
from ..clusters.load import CONTROLLER
from ..clusters.log_reader import Wanted
from ..clusters.logs import parse_since, show_logs
from .base import FAILURE, print_now, say
from .one_cluster import OneClusterCommand

BOOT = (
    "With `controller` or `machine NAME`: what the machine printed as it booted, by Azure's boot "
    "diagnostics, and cloud-init's output where the machine answers."
)
FOLLOW = (
    "Go on with what is added, until Ctrl-C; without further words also with machines that come "
    "later."
)


class LogsApp(OneClusterCommand):
    """Show the logs of a cluster's machines, also as they grow."""

    name = "ipcluster-azure-logs"
    description = """Show the logs of a cluster's machines, also as they grow.

    `logs` shows those of all machines, `logs controller` ipcontroller's and the guard's, `logs
    engine N` those of the engine with this id, `logs machine NAME` those of one machine. Of each
    log the last 200,000 bytes. They are fetched from the machines over SSH. With --boot, what a
    machine printed as it booted: its serial log, which Azure keeps also of one that never answered,
    and cloud-init's output if it does answer.
    """
    examples = """
    ipcluster-azure logs controller --profile=azure
    ipcluster-azure logs engine 3 -f --profile=azure
    ipcluster-azure logs --since=10m --profile=azure
    ipcluster-azure logs machine ipp-azure-86c3cd5a-e0d61_f46fa706 --boot --profile=azure
    """
    follow = Bool(False, config=True, help=FOLLOW)
    since = Unicode(
        "",
        config=True,
        help="Only what was logged since then: 30s, 10m, 2h or 1d ago, or a time such as "
        "2026-11-30T09:15.",
    ).tag(word="TIME")

    boot = Bool(False, config=True, help=BOOT)

    aliases = {**OneClusterCommand.aliases, "since": "LogsApp.since"}  # noqa: RUF012
    flags = {  # noqa: RUF012
        "f": ({"LogsApp": {"follow": True}}, FOLLOW),
        "follow": ({"LogsApp": {"follow": True}}, FOLLOW),
        "boot": ({"LogsApp": {"boot": True}}, BOOT),
    }
    most_words = 2

    def act(self) -> None:
        wanted = self._wanted()
        show = Printer(headed=wanted.kind != "engine")
        file = self.record_file()
        if self.boot:
            problems = asyncio.run(show_boot_logs(file, wanted.name or CONTROLLER, show))
            for problem in problems:
                say(problem)
            self.exit(FAILURE if problems else 0)
        self.exit(0 if asyncio.run(show_logs(file, wanted, show, say)) else FAILURE)

    def _wanted(self) -> Wanted:
        kind, name = ([*self.extra_args, "", ""])[:2]
        if kind not in ("", CONTROLLER, "engine", "machine"):
            self._refuse(f"{kind!r} is none of controller, engine N, machine NAME.")
        if kind in ("engine", "machine") and not name:
            self._refuse(f"{kind} needs one more word: logs {kind} ...")
        if kind == CONTROLLER and name:
            self._refuse(f"{name!r} is one word too many.")
        if kind == "engine" and not name.isdecimal():
            self._refuse(f"{name!r} is no engine's id, which is a number.")
        if kind == "machine" and name == CONTROLLER:
            kind = CONTROLLER
        if self.boot and (kind not in (CONTROLLER, "machine") or self.follow or self.since):
            self._refuse("--boot goes with `controller` or `machine NAME`, and nothing else.")
        since_s = parse_since(self.since, datetime.now(timezone.utc)) if self.since else None
        return Wanted(kind, name, self.follow, since_s)


class Printer:
    """Prints pieces of logs; `headed`: a line before a piece of another log says which it is."""

    def __init__(self, *, headed: bool) -> None:
        self._headed, self._shown = headed, ""

    def __call__(self, machine: str, log: str, text: str) -> None:
        if not text:
            return
        head = f"==> {machine}: {log} <=="
        if self._headed and head != self._shown:
            print_now(f"\n{head}" if self._shown else head)
        self._shown = head
        print_now(text.removesuffix("\n"))
