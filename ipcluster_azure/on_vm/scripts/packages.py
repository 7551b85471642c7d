"""Runs on the machines while a cluster's packages are brought up to date, with any Python from 3.8
on and its standard library alone. Sent as it is needed: it is of the version that runs it.

Runs in the work directory. Prints one JSON object for the launcher, the event "looked" with
{"made": [python, {package: SHA-256 of its wheel}], null if the environment isn't complete;
"versions" of what is installed, by package; "outdated": engines may have old packages loaded}.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path.cwd()


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def versions() -> dict[str, str]:
    """Return versions by normalized names, as the folders of the distributions are called."""
    folders = ROOT.glob("env/lib/python*/site-packages/*.dist-info")
    parts = [folder.name[: -len(".dist-info")].partition("-") for folder in folders]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, _, version in parts}


def main() -> int:
    looked = {
        "event": "looked",
        "made": read_json(ROOT / "environment.json"),
        "versions": versions(),
        "outdated": (ROOT / "outdated").exists(),  # vm_environment.py makes it
    }
    print(json.dumps(looked), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
