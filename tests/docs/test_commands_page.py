"""The page of commands names every subcommand, and each option that one takes."""

import re

import pytest
from traitlets.utils.importstring import import_item

from ipcluster_azure.commands.app import AzureApp

from .markdown import ROOT, text_of

PAGE = text_of(ROOT / "docs" / "reference" / "commands.md")
OF_THE_EMULATOR = "emulator"  # which hands its options on


@pytest.mark.parametrize("subcommand", AzureApp.subcommands)
def test_a_subcommand_and_its_options_are_described(subcommand: str) -> None:
    assert f"`ipcluster-azure {subcommand}" in PAGE
    if subcommand != OF_THE_EMULATOR:
        kind = import_item(AzureApp.subcommands[subcommand][0])
        names = (*kind.aliases, *kind.flags)
        options = {f"--{name}" if len(name) > 1 else f"-{name}" for name in names}
        assert options - set(re.findall(r"--?[a-z][a-z-]*", PAGE)) == set()
