"""`ipcluster-azure reap`: shows clusters that were left behind, asks, and deletes them."""

import asyncio
import sys
from datetime import datetime, timezone

from IPython.paths import get_ipython_dir
from traitlets import Bool, Unicode

from ..clusters.local_records import by_cluster, local_records
from ..clusters.reap import Choice, Doomed, choose, left_alone, reap
from ..clusters.whose import whose
from ..formatting import duration, table
from ..progress import Progress
from ..resource_manager.asker import doubts
from ..resource_manager.discovery import FoundCluster
from .base import log_to_output, say, say_and_exit
from .list import look_around
from .subscription_options import SubscriptionCommand


class ReapApp(SubscriptionCommand):
    """Delete clusters that were left behind, found by their tags."""

    name = "ipcluster-azure-reap"
    description = """Delete clusters that were left behind, found by their tags.

    Those are clusters that were started in this home directory and are on record in no profile of
    this IPython directory, or whose stop has not finished; and your own, wherever they were
    started, that have passed their max_lifetime_h. Shows them with the reason and asks before it
    deletes. A cluster that is being started is on record, and stays. What was started elsewhere is
    deleted if you name it. Works with the IPython directory erased.
    """
    examples = """
    ipcluster-azure reap
    ipcluster-azure reap --yes --expired
    ipcluster-azure reap --name=ipp-azure-1a2b3c4d
    """
    cluster = Unicode(
        "",
        config=True,
        help="Delete the cluster of this name, whatever its state; says so if it is foreign.",
    )
    yes = Bool(False, config=True, help="Don't ask.")
    all_owners = Bool(
        False,
        config=True,
        help="Also other people's clusters: of that name, or whose time is over.",
    )
    expired = Bool(False, config=True, help="Only clusters whose time is over.")

    aliases = {**SubscriptionCommand.aliases, "name": "ReapApp.cluster"}  # noqa: RUF012
    flags = {  # noqa: RUF012
        "yes": ({"ReapApp": {"yes": True}}, "Don't ask."),
        "all-owners": (
            {"ReapApp": {"all_owners": True}},
            "Also other people's clusters: of that name, or whose time is over.",
        ),
        "expired": ({"ReapApp": {"expired": True}}, "Only clusters whose time is over."),
    }

    def act(self) -> None:
        if self.all_owners:
            say("--all-owners: also other people's clusters, of that name or whose time is over.")
        choice = Choice(self.cluster, self.expired, self.all_owners)
        found, unasked = look_around(self.places(local_records(get_ipython_dir())))
        # after looking: what was found and is being started has a record by now
        records = by_cluster(local_records(get_ipython_dir()))
        now = datetime.now(timezone.utc)
        doomed = choose(found, records, choice, now, complete=not unasked)
        failures = 0
        if doomed:
            print(_shown(doomed, now))
            self._ask(len(doomed))
            failures = asyncio.run(
                reap(doomed, Progress(log_to_output("ipcluster_azure.reap")), _say_failure)
            )
        elif not unasked:
            print("There is nothing to delete.")
        if not (self.cluster or self.expired):
            _tell_of(left_alone(found, records, now))
        if failures:
            say_and_exit(
                "not everything could be deleted. The lines above say why; repeat the command."
            )
        if unasked:
            say_and_exit(
                "whether there is more to delete is not known, as not every subscription could be "
                "asked. The lines above say why; repeat the command."
            )
        if not (self.cluster or self.expired):
            _forget_damaged_records()

    def _ask(self, count: int) -> None:
        if self.yes:
            return
        if not sys.stdin.isatty():
            say_and_exit(
                "nothing was deleted: there is no terminal to ask in. Use --yes to delete unasked."
            )
        answer = input(f"Delete {'this' if count == 1 else 'these'}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            print("Nothing was deleted.")
            sys.exit(0)


def _shown(doomed: list[Doomed], now: datetime) -> str:
    rows = [
        [
            item.cluster.name,
            whose(item.cluster, item.record),
            duration(max(0.0, item.cluster.age_s(now) or 0.0)),
            str(item.cluster.machines),
            item.cluster.resource_group,
            item.reason,
        ]
        for item in doomed
    ]
    return table(["NAME", "OWNER", "AGE", "MACHINES", "GROUP", "WHY"], rows)


def _tell_of(others: list[FoundCluster]) -> None:
    """Say which clusters are left alone: they may be of a home directory that is gone."""
    if not others:
        return
    for doubt in doubts(others[0].asker):
        say(doubt)
    print("Left alone, as they were started in other home directories, and may be in use:")
    print(table(["NAME", "OWNER"], [[item.name, whose(item, None)] for item in others]))
    print(f"To delete one, name it: ipcluster-azure reap --name={others[0].name}")


def _say_failure(item: Doomed, error: Exception) -> None:
    say(f"{item.cluster.name} could not be deleted: {error}")


def _forget_damaged_records() -> None:
    """Remove damaged records: whatever they told of is gone, and they would keep a start off."""
    for record in local_records(get_ipython_dir()):
        if record.core is None:
            if record.retired:
                record.path.unlink(missing_ok=True)
            else:
                record.file.erase()
            print(f"Removed the damaged record {record.path}")
