"""Makes the tables of options in docs/reference/commands.md from the commands themselves.

python docs/generate_commands.py            prints the page
python docs/generate_commands.py --write    rewrites it

The words around the tables are the page's own. A table stands between two comments, of which the
first names the subcommand.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from traitlets import Bool, Enum
from traitlets.utils.importstring import import_item

import generated
from azure_emulator.cli import parsers
from ipcluster_azure.commands.app import AzureApp
from ipcluster_azure.commands.base import Command

PAGE = Path(__file__).parent / "reference" / "commands.md"
BEGIN = "<!-- options of {}: made by docs/generate_commands.py from its help -->"
TABLE = re.compile(rf"({BEGIN.format('([a-z -]+)')}\n).*?(<!-- end -->)", re.DOTALL)
EMULATOR = "emulator start"
HEAD = ["| option | default | |", "|---|---|---|"]
# options of many commands: what a value of theirs is; others are told by `word` of their trait
WORDS = {"profile": "NAME", "cluster-id": "ID", "subscription-id": "ID", "endpoint": "URL"}


def options(command: type[Command]) -> str:
    """The table of a subcommand's options, without --help."""
    rows = [*_with_value(command), *_switches(command)]
    return "\n".join([*HEAD, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _with_value(command: type[Command]) -> Iterator[tuple[str, str, str]]:
    traits = command.class_traits(config=True)
    for name, target in command.aliases.items():
        trait = traits[target.rpartition(".")[2]]
        word = trait.metadata.get("word") or WORDS.get(name) or name.upper().replace("-", "_")
        spelled = f"`-{name} {word}`, `--{name}={word}`" if len(name) == 1 else f"`--{name}={word}`"
        default = "" if trait.metadata.get("required") else _default(trait.default())
        yield spelled, default, _text(trait)


def _default(value: object) -> str:
    """A default in a cell of its own, without what is this computer's; empty if there is none."""
    if value is None or value is False or value == "":
        return ""
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f"`{shown.replace(str(Path.home()), '~')}`"


def _text(trait: Any) -> str:
    values = f" One of {', '.join(map(str, trait.values))}." if isinstance(trait, Enum) else ""
    return _cell(str(trait.help) + values)


def _switches(command: type[Command]) -> Iterator[tuple[str, str, str]]:
    """The options without a value; those of one trait are one row."""
    spelled: dict[str, list[str]] = {}
    helps: dict[str, str] = {}
    traits = command.class_traits(config=True)
    for name, (config, text) in command.flags.items():
        ((trait, _),) = next(iter(config.values())).items()
        if not isinstance(traits[trait], Bool):
            raise TypeError(f"--{name} of {command.__name__} switches {trait}, which is no Bool")
        spelled.setdefault(trait, []).append(f"`-{name}`" if len(name) == 1 else f"`--{name}`")
        helps[trait] = text
    for trait, names in spelled.items():
        yield ", ".join(names), "", _cell(helps[trait])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def options_of_emulator() -> str:
    """The table of `ipcluster-azure emulator start`, whose options are argparse's."""
    rows = []
    for action in parsers()[1]["start"]._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        word = "" if action.nargs == 0 else f"={action.metavar or action.dest.upper()}"
        names = ", ".join(f"`{name}{word}`" for name in action.option_strings)
        text = re.sub(r" ?\(default: %\(default\)\w\)", "", action.help or "")
        rows.append(f"| {names} | {_default(action.default)} | {_cell(text)} |")
    return "\n".join([*HEAD, *rows]) + "\n"


def table(name: str) -> str:
    """The table of a subcommand, by its name behind `ipcluster-azure`."""
    if name == EMULATOR:
        return options_of_emulator()
    return options(import_item(AzureApp.subcommands[name][0]))


def page() -> str:
    """The page as it is, with all tables anew."""

    def anew(found: "re.Match[str]") -> str:
        return f"{found[1]}\n{table(found[2])}\n{found[3]}"

    return TABLE.sub(anew, PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    generated.main(PAGE, page)
