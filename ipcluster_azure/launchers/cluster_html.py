"""What a notebook shows where a cell ends in a cluster of ours: a small table, from its record.

Nobody is asked for it, so that it is there at once; `ipcluster-azure status` asks Azure.
"""

from datetime import datetime, timedelta, timezone
from html import escape
from typing import Any
from urllib.parse import urlsplit

from ..errors import AzureLauncherError
from ..formatting import duration
from ..notebook import in_notebook
from ..record.contents import CREATING, READY, EngineSet, Record
from ..record.file import RecordFile
from ..record.spending import cost_of, in_words

# the portal of each cloud, by its Resource Manager's host
PORTALS = {
    "management.azure.com": "portal.azure.com",
    "management.usgovcloudapi.net": "portal.azure.us",
    "management.chinacloudapi.cn": "portal.azure.cn",
}


def show_as_html() -> None:
    """Have this kernel show clusters of ours so; other clusters are shown as before."""
    if not in_notebook():
        return
    from ipyparallel import Cluster
    from IPython import get_ipython

    formatters = get_ipython().display_formatter.formatters
    formatters["text/html"].for_type(Cluster, _shown)


def _shown(cluster: Any) -> str | None:
    """Return the HTML of an ipyparallel Cluster, None if it is none of ours."""
    file = getattr(cluster.controller, "record_file", None)
    if not isinstance(file, RecordFile):
        return None
    try:
        record = file.read()
    except AzureLauncherError as error:
        return _table(file, [("State", escape(str(error)))])
    if record is None:
        return _table(file, [("State", "stopped, or not started yet")])
    return html_of(file, record, datetime.now(timezone.utc))


def html_of(file: RecordFile, record: Record, now: datetime) -> str:
    """Return a table of what is on record of a cluster; `now` is the time that it is shown."""
    rows = [
        ("State", escape(_state(record))),
        ("Machines", escape(_machines(record))),
        ("Engines", escape(_engines(record))),
    ]
    if cost := _cost(record, now):
        rows.append(("Cost", escape(cost)))
    if left := _time_left(record, now):
        rows.append(("Ends", escape(left)))
    rows.append(("In Azure", _place(record)))
    profile = f"--profile={file.profile}"
    words = f"{profile} --cluster-id={file.cluster_id}" if file.cluster_id else profile
    rows.append(("JupyterLab", f"<code>ipcluster-azure notebook {escape(words)}</code>"))
    return _table(file, rows)


def _state(record: Record) -> str:
    if record.deleting:
        return "is being deleted"
    parts = [record.controller.state, *(item.state for item in record.engine_sets.values())]
    return "running" if all(part == READY for part in parts) else "starting"


def _machines(record: Record) -> str:
    engines = sum(map(_count_machines, record.engine_sets.values()))
    controller = f"1 {record.plan.machine.vm_size} for the controller"
    return f"{controller}, {engines} for engines"


def _count_machines(item: EngineSet) -> int:
    return -(-item.n // item.engines_per_vm) if item.state == CREATING else len(item.machines)


def _engines(record: Record) -> str:
    sets = [item for item in record.engine_sets.values() if item.state in (CREATING, READY)]
    wanted, lost = sum(item.n for item in sets), sum(item.lost_engines for item in sets)
    joining = sum(item.yet_to_join for item in sets)
    text = str(wanted) + (f", {lost} of them lost with a machine, to be replaced" if lost else "")
    return text + (f", {joining} of them yet to join as their machines boot" if joining else "")


def _cost(record: Record, now: datetime) -> str:
    """Say what the cluster costs, as `status` does; empty if the record is of a version that
    didn't know prices."""
    cost = cost_of(record, now)
    return in_words(cost) if cost is not None else ""


def _time_left(record: Record, now: datetime) -> str:
    """Say when the cluster ends by itself; empty if never."""
    limits, parts = record.limits, []
    if limits.max_lifetime_h:
        end = datetime.fromisoformat(record.created) + timedelta(hours=limits.max_lifetime_h)
        parts.append(f"in {duration(max(0.0, (end - now).total_seconds()))} at the latest")
    if limits.idle_timeout_min:
        parts.append(f"{limits.idle_timeout_min:g} min after the last task")
    return ", ".join(parts)


def _place(record: Record) -> str:
    """Return the resource group, with a link to it where the cloud has a portal that is known."""
    plan, portal = record.plan, PORTALS.get(urlsplit(record.endpoint.url).hostname or "")
    text = escape(f"{plan.resource_group} in {plan.location}")
    if portal is None:
        return text
    path = f"subscriptions/{plan.subscription_id}/resourceGroups/{plan.resource_group}"
    return f'<a href="https://{portal}/#resource/{escape(path)}" target="_blank">{text}</a>'


def _table(file: RecordFile, rows: list[tuple[str, str]]) -> str:
    name = f"{file.profile}, {file.cluster_id}" if file.cluster_id else file.profile
    lines = "".join(
        f'<tr><th style="text-align:left">{head}</th><td style="text-align:left">{cell}</td></tr>'
        for head, cell in rows
    )
    return f"<b>Cluster on Azure: {escape(name)}</b><table>{lines}</table>"
