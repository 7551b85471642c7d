"""The page of commands has a table of each subcommand's options, made from the commands."""

import pytest

import generate_commands
from azure_emulator.client import STATE_DIR_VARIABLE
from ipcluster_azure.commands.app import AzureApp

from .markdown import ROOT, text_of

PAGE = text_of(ROOT / "docs" / "reference" / "commands.md")
OF_THE_EMULATOR = "emulator"  # whose subcommand `start` has the table


@pytest.mark.parametrize("subcommand", AzureApp.subcommands)
def test_a_subcommand_is_described_and_has_its_table(subcommand: str) -> None:
    assert f"`ipcluster-azure {subcommand}" in PAGE
    name = generate_commands.EMULATOR if subcommand == OF_THE_EMULATOR else subcommand
    assert PAGE.count(generate_commands.BEGIN.format(name)) == 1


def test_the_tables_are_those_of_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STATE_DIR_VARIABLE, raising=False)  # which is a default
    assert generate_commands.page() == PAGE, "run: python docs/generate_commands.py --write"


def test_a_table_has_every_option_once() -> None:
    rows = generate_commands.table("logs").splitlines()[2:]
    options = [row.split(" | ")[0].removeprefix("| ") for row in rows]
    assert options == [
        "`--profile=NAME`",
        "`--cluster-id=ID`",
        "`--since=TIME`",
        "`-f`, `--follow`",
        "`--boot`",
    ]
