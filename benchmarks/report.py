"""What all benchmarks share: sides that take turns, medians, and tables that say what is met.

A benchmark is a module with `measure(...) -> Section`, whose parameters are its options, and QUICK,
the options of a run that only shows that it works.
"""

from __future__ import annotations

import argparse
import inspect
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from . import surroundings

T = TypeVar("T")
_began = time.monotonic()
INTRODUCTION = """# Benchmarks

Made by `make bench`; each section says when, on what machine and how it was measured. The sides of
a comparison take turns within one run, so that both meet the same load; figures are medians, with
the least and the greatest in brackets. Azure is [the emulator](explanation/emulator.md) throughout:
this shows what the project adds to Azure's own times, not how long Azure takes today.
"""


def say(text: str) -> None:
    """How far it is, for whoever waits."""
    print(f"[{time.monotonic() - _began:7.1f} s] {text}", file=sys.stderr, flush=True)


def in_turns(
    sides: Mapping[str, Callable[[int], T]], rounds: int, first: int = 0
) -> dict[str, list[T]]:
    """What each side returned in each round; every other round the last side goes first.

    `first` is the number of the first round, which the sides are given.
    """
    found: dict[str, list[T]] = {name: [] for name in sides}
    for number in range(first, rounds):
        order = list(sides)[:: 1 if number % 2 == 0 else -1]
        for name in order:
            began = time.monotonic()
            found[name].append(sides[name](number))
            say(f"round {number + 1} of {rounds}, {name}: {time.monotonic() - began:.1f} s")
    return found


@dataclass(frozen=True)
class Figure:
    """Measurements of one thing."""

    values: tuple[float, ...]
    unit: str = "s"
    digits: int = 1

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        middle = f"{self.median:.{self.digits}f}"
        if len(self.values) > 1:
            low, high = (f"{end(self.values):.{self.digits}f}" for end in (min, max))
            return f"{middle} {self.unit} ({low} to {high})".replace("  ", " ")
        return f"{middle} {self.unit}".rstrip()


def figure(values: Iterable[float], unit: str = "s", digits: int = 1) -> Figure:
    return Figure(tuple(values), unit, digits)


@dataclass(frozen=True)
class Goal:
    """What a figure should be, and whether it is."""

    text: str
    met: bool

    def __str__(self) -> str:
        return f"{self.text}: {'met' if self.met else '**missed**'}"


def at_most(value: float, limit: float, unit: str = "", digits: int = 1) -> Goal:
    return Goal(f"at most {limit:.{digits}f} {unit}".rstrip(), value <= limit)


def at_least(value: float, limit: float, unit: str = "", digits: int = 1) -> Goal:
    return Goal(f"at least {limit:.{digits}f} {unit}".rstrip(), value >= limit)


@dataclass
class Table:
    """Rows of cells; the last column is the row's goal, if any row has one."""

    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    goals: list[Goal | None] = field(default_factory=list)

    def add(self, *cells: object, goal: Goal | None = None) -> None:
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(cells)} cells for the columns {self.columns}")
        self.rows.append([str(cell).replace("|", "\\|") for cell in cells])
        self.goals.append(goal)

    def markdown(self) -> str:
        lines = [[*self.columns, "goal"], ["---"] * (len(self.columns) + 1)]
        for row, goal in zip(self.rows, self.goals, strict=True):
            lines.append([*row, str(goal or "")])
        if not any(self.goals):
            lines = [line[:-1] for line in lines]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass
class Section:
    """One benchmark's part of the page. `how`: what was measured; `notes`: what bounds it."""

    name: str
    title: str
    how: str
    tables: list[Table]
    notes: Sequence[str] = ()
    packages: Sequence[str] = ()

    def markdown(self) -> str:
        measured = f"*Measured {surroundings.described(self.packages)}.*"
        tables = [table.markdown() for table in self.tables]
        parts = (f"## {self.title}", self.how.strip(), *tables, *self.notes, measured)
        return "\n\n".join(parts)

    @property
    def missed(self) -> list[str]:
        goals = (goal for table in self.tables for goal in table.goals)
        return [goal.text for goal in goals if goal is not None and not goal.met]


def replaced(page: str, section: Section, order: Sequence[str]) -> str:
    """The page with this section anew and all others as they were, in `order`."""
    found = {
        match["name"]: match["text"].strip()
        for match in re.finditer(
            r"<!-- begin (?P<name>\S+) -->(?P<text>.*?)<!-- end (?P=name) -->", page, re.DOTALL
        )
    }
    found[section.name] = section.markdown()
    names = [name for name in order if name in found]
    blocks = [f"<!-- begin {name} -->\n{found[name]}\n<!-- end {name} -->" for name in names]
    return "\n".join([INTRODUCTION, *(f"{block}\n" for block in blocks)])


def run_alone(measure: Callable[..., Section], arguments: Sequence[str] | None = None) -> None:
    """The command line of one benchmark: its options are the parameters of `measure`."""
    parser = argparse.ArgumentParser(description=inspect.getmodule(measure).__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for name, parameter in inspect.signature(measure).parameters.items():
        default = parameter.default
        option = f"--{name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(option, default=default, action=argparse.BooleanOptionalAction)
        elif isinstance(default, tuple):
            parser.add_argument(option, default=default, type=type(default[0]), nargs="*")
        else:
            parser.add_argument(option, default=default, type=type(default))
    section = measure(**vars(parser.parse_args(arguments)))
    print(section.markdown())
