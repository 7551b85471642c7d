"""Runs on the machines while a cluster's packages are brought up to date, with any Python from 3.8
on and its standard library alone. Sent as it is needed: it is of the version that runs it.

    look [--set SET]    says what the environment was made of, and which engines there are
    end --set SET       ends the supervisor, so that it can be started anew with new packages

Runs in the work directory. Prints one JSON object a line for the launcher.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

ROOT = Path.cwd()
OUTDATED = ROOT / "outdated"  # vm_environment.py makes it


def emit(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def look(set_id: str) -> None:
    """Tell of {"made": [python, {package: SHA-256 of its wheel}], null if that isn't complete;
    "versions" of what is installed, by package; "engines": ids by index; "outdated": engines may
    have old packages loaded}."""
    state = read_json(ROOT / f"engines-{set_id}.json") or {}
    running = [one for one in state.get("engines", ()) if one["state"] == "registered"]
    emit(
        "looked",
        made=read_json(ROOT / "environment.json"),
        versions=versions(),
        engines={one["index"]: one["id"] for one in running},
        outdated=OUTDATED.exists(),
    )


def versions() -> dict[str, str]:
    """Return versions by normalized names, as the folders of the distributions are called."""
    folders = ROOT.glob("env/lib/python*/site-packages/*.dist-info")
    parts = [folder.name[: -len(".dist-info")].partition("-") for folder in folders]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, _, version in parts}


def end(set_id: str) -> None:
    """End the set's supervisor: it has preloaded what its engines import. Who starts it again ends
    the engines that it has left."""
    supervisor = (read_json(ROOT / f"engines-{set_id}.json") or {}).get("supervisor")
    if supervisor:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if b"supervisor" in Path(f"/proc/{supervisor['pid']}/cmdline").read_bytes():
                os.kill(supervisor["pid"], signal.SIGKILL)
    with contextlib.suppress(FileNotFoundError):
        OUTDATED.unlink()
    emit("ended")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=["look", "end"])
    parser.add_argument("--set", default="")
    options = parser.parse_args(argv)
    {"look": look, "end": end}[options.command](options.set)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
