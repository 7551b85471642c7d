"""A script in place of Python on the machines, which answers as engines would that cost nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ipyparallel

from .clusters import Home

# Whatever else is run by it is run by Python.
SCRIPT = """#!/bin/sh
if [ "$1 $2" = "-m ipyparallel.engine" ]; then exec sleep 60; fi
if [ "$2" != engines ]; then exec {python} "$@"; fi
for word in "$@"; do
    case $word in --count=*) count=${{word#--count=}};; esac
done
echo '{{"event": "registered", "registered": '$count', "count": '$count'}}'
echo '{{"event": "ready", "registered": '$count', "engines": [], {versions}}}'
"""


def write(place: Home) -> Path:
    python = ".".join(map(str, sys.version_info[:3]))
    versions = json.dumps({"python": python, "ipyparallel": ipyparallel.__version__})
    place.folder.mkdir(parents=True, exist_ok=True)
    path = place.folder / "python"
    path.write_text(SCRIPT.format(python=sys.executable, versions=versions[1:-1]))
    path.chmod(0o700)
    return path


def setting(path: Path) -> str:
    """For the profile's configuration."""
    return f"c.AzureVMLauncher.image_python = {str(path)!r}\n"
