"""What a cluster's packages were asked for with, on its record: to make its lock anew later on."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..environment.selection import Selection, Target

INTERPRETER = "interpreter"


def asked_of(selection: Selection | None, target: Target | None) -> dict[str, Any]:
    """Return it for a record; nothing for an environment that wasn't made of such."""
    if selection is None or target is None:
        return {}
    asked = {**asdict(selection), **asdict(target), INTERPRETER: sys.executable}
    del asked["imported"]  # is another later on
    return {name: list(it) if isinstance(it, tuple) else it for name, it in asked.items()}


def selection_and_target(asked: Mapping[str, Any]) -> tuple[Selection, Target]:
    """Return what asked_of was given."""
    values: dict[str, Any] = {
        name: tuple(it) if isinstance(it, list) else it for name, it in asked.items()
    }
    del values[INTERPRETER]
    target = Target(values.pop("python"), values.pop("architecture"), values.pop("glibc"))
    return Selection(**values), target
