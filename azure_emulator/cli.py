"""`ipcluster-azure emulator start|stop|status|reset`."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from traitlets import Bool, Float, Integer, Unicode, default
from traitlets.config import Application

from . import client


class _Command(Application):
    """One subcommand; an EmulatorError becomes one line on stderr and exit status 1."""

    state_dir = Unicode(
        help="Directory of the emulator's state; another directory is another emulator."
    ).tag(config=True)

    aliases = {"state-dir": "_Command.state_dir"}  # noqa: RUF012 - traitlets' own form
    flags = {}  # noqa: RUF012

    @default("state_dir")
    def _default_state_dir(self) -> str:
        return str(client.default_state_dir())

    def start(self) -> None:
        try:
            self.act()
        except client.EmulatorError as error:
            print(f"ipcluster-azure emulator: {error}", file=sys.stderr)
            self.exit(1)

    def act(self) -> None:
        raise NotImplementedError


def _role(path: str) -> tuple[list[str], list[str]]:
    """(actions, not actions) of a role definition, as `az role definition` takes or lists them."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        role = content[0] if isinstance(content, list) else content
        lower = {name.lower(): value for name, value in role.items()}
        if "permissions" in lower:
            lower = {name.lower(): value for name, value in lower["permissions"][0].items()}
        return list(lower["actions"]), list(lower.get("notactions") or [])
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise client.EmulatorError(f"{path} is no role definition ({reason})") from None


class StartApp(_Command):
    name = "ipcluster-azure emulator start"
    description = "Start the local Azure endpoint if it does not run; print where it is as JSON."

    machines = Unicode(
        "process", help="process: VMs are SSH servers on loopback addresses; none: no SSH."
    ).tag(config=True)
    clock = Unicode(
        "real", help="real, or virtual: time stands still until a program advances it."
    ).tag(config=True)
    time_scale = Float(
        0.0, min=0.0, help="0: operations complete at once; 1: they take as long as in Azure."
    ).tag(config=True)
    seed = Integer(None, allow_none=True, help="Makes durations and names repeatable.").tag(
        config=True
    )
    throttle = Bool(False, help="Refuse too many requests, as Azure does.").tag(config=True)
    idle_timeout_s = Float(
        600.0, min=0.0, help="Seconds without a resource group after which it ends by itself."
    ).tag(config=True)
    allow_actions = Unicode(
        help="File with a role definition in Azure's JSON: the token file allows no more than that."
    ).tag(config=True)
    port = Integer(0, help="TCP port of the endpoint on 127.0.0.1; 0: any free one.").tag(
        config=True
    )

    aliases = {  # noqa: RUF012
        "state-dir": "StartApp.state_dir",
        "machines": "StartApp.machines",
        "clock": "StartApp.clock",
        "time-scale": "StartApp.time_scale",
        "seed": "StartApp.seed",
        "idle-timeout-s": "StartApp.idle_timeout_s",
        "allow-actions": "StartApp.allow_actions",
        "port": "StartApp.port",
    }

    flags = {  # noqa: RUF012
        "throttle": ({"StartApp": {"throttle": True}}, "Refuse too many requests, as Azure does.")
    }

    def act(self) -> None:
        options: dict[str, Any] = {
            "machines": self.machines,
            "clock": self.clock,
            "time_scale": self.time_scale,
            "seed": self.seed,
            "throttle": self.throttle,
            "idle_timeout_s": self.idle_timeout_s,
            "port": self.port,
        }
        role = _role(self.allow_actions) if self.allow_actions else None
        info = client.start(self.state_dir, **options)
        if role:
            client.restrict(info, *role)
        print(json.dumps(dataclasses.asdict(info)), flush=True)


class StopApp(_Command):
    name = "ipcluster-azure emulator stop"
    description = "Stop the emulator and all its machines."
    aliases = {"state-dir": "StopApp.state_dir"}  # noqa: RUF012

    def act(self) -> None:
        stopped = client.stop(self.state_dir)
        print("The emulator has stopped." if stopped else "No emulator is running.")


class StatusApp(_Command):
    name = "ipcluster-azure emulator status"
    description = "Show the emulator's resource groups and virtual machines."
    json = Unicode("", help="Internal: set by --json.").tag(config=True)
    aliases = {"state-dir": "StatusApp.state_dir"}  # noqa: RUF012
    flags = {  # noqa: RUF012
        "json": ({"StatusApp": {"json": "yes"}}, "Print JSON instead of text.")
    }

    def act(self) -> None:
        found = client.find(self.state_dir)
        values = client.status(self.state_dir)
        shown = {name: values[name] for name in ("resource_groups", "virtual_machines")}
        if self.json:
            print(json.dumps(shown))
            return
        if found is None:
            print("No emulator is running.")
            return
        print(f"Emulator at {found.endpoint} (process {found.pid}, state in {found.state_dir})")
        for title, names in shown.items():
            listed = ", ".join(names) if names else "none"
            print(f"{title.replace('_', ' ').capitalize()}: {listed}")


class ResetApp(_Command):
    name = "ipcluster-azure emulator reset"
    description = "Delete all resource groups and machines of the running emulator."
    aliases = {"state-dir": "ResetApp.state_dir"}  # noqa: RUF012

    def act(self) -> None:
        done = client.reset(self.state_dir)
        print("Everything is deleted." if done else "No emulator is running.")


class EmulatorApp(Application):
    name = "ipcluster-azure emulator"
    description = "A local Azure Resource Manager endpoint whose VMs are local SSH servers."
    subcommands = {  # noqa: RUF012
        "start": (StartApp, StartApp.description),
        "stop": (StopApp, StopApp.description),
        "status": (StatusApp, StatusApp.description),
        "reset": (ResetApp, ResetApp.description),
    }

    def start(self) -> None:
        if self.subapp is None:
            self.print_help()
            self.exit(1)
        super().start()


def main() -> None:
    EmulatorApp.launch_instance()


if __name__ == "__main__":
    main()
