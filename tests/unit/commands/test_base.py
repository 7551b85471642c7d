"""Each subcommand refuses what it doesn't take, in one line that says what it does take."""

import pytest

from ipcluster_azure.commands.attach import AttachApp
from ipcluster_azure.commands.base import Command
from ipcluster_azure.commands.create import CreateApp
from ipcluster_azure.commands.delete import DeleteApp
from ipcluster_azure.commands.deploy import DeployApp
from ipcluster_azure.commands.doctor import DoctorApp
from ipcluster_azure.commands.init import InitApp
from ipcluster_azure.commands.list import ListApp
from ipcluster_azure.commands.logs import LogsApp
from ipcluster_azure.commands.notebook import NotebookApp
from ipcluster_azure.commands.reap import ReapApp
from ipcluster_azure.commands.ssh import SshApp
from ipcluster_azure.commands.ssh_config import SshConfigApp
from ipcluster_azure.commands.status import StatusApp
from ipcluster_azure.commands.sync import SyncApp
from ipcluster_azure.commands.template import TemplateApp
from ipcluster_azure.commands.top import TopApp

COMMANDS = (
    *(InitApp, StatusApp, AttachApp, NotebookApp, ListApp, ReapApp, DoctorApp, TopApp),
    *(SshConfigApp, CreateApp, DeployApp, DeleteApp, TemplateApp, SyncApp),
)
WITH_WORDS = (LogsApp, SshApp)  # that are no options


def _refused(kind: type[Command], words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which `kind` refuses `words`."""
    with pytest.raises(SystemExit) as exit_:
        kind().initialize(words)
    assert exit_.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith(f"ipcluster-azure: {kind.name.removeprefix('ipcluster-azure-')}: ")
    return line


@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize(
    "word",
    "extra json --nosuch --profle=x --profile2 --log-level=10 --log-level -x -- - ''".split(),
)
def test_unknown_words(kind: type[Command], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ", ".join(sorted(f"--{name}" for name in [*kind.aliases, *kind.flags]))
    line = _refused(kind, [word], capsys)
    named = word.isalpha() and "profile" in kind.aliases
    hint = f" Did you mean --profile={word}?" if named else ""
    assert line.endswith(f"{word!r} is not one of its options, {options}.{hint}")


def test_a_name_alone_is_meant_as_a_profile(capsys: pytest.CaptureFixture[str]) -> None:
    """Else `ipcluster start --profile=trial`, which comes next, starts engines on this computer."""
    assert _refused(InitApp, ["trial"], capsys).endswith(" Did you mean --profile=trial?")


@pytest.mark.parametrize("kind", COMMANDS + WITH_WORDS)
def test_examples_are_aligned(kind: type[Command]) -> None:
    examples = "\n".join(kind().emit_examples()).splitlines()[3:]
    indented = {len(line) - len(line.lstrip()) for line in examples if line}
    assert indented == {4}


@pytest.mark.parametrize("kind", COMMANDS)
def test_traits_of_other_classes_and_of_none(
    kind: type[Command], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (f"{kind.__name__}.nosuch", "Command.nosuch", "Nosuch.profile", "AzureApp.version"):
        assert "is not one of its options" in _refused(kind, [f"--{name}=1"], capsys)


@pytest.mark.parametrize(
    ("kind", "words", "message"),
    [
        (ReapApp, ["--expired=maybe"], "'--expired=maybe' is not one of its options"),
        (ReapApp, ["--ReapApp.expired=maybe"], "--ReapApp.expired must be a boolean, not 'maybe'."),
        (DoctorApp, ["--n=0"], "-n must be a whole number from 1 to 2,000,000, not 0."),
        (DoctorApp, ["-n", "x"], "-n must be a whole number from 1 to 2,000,000, not 'x'."),
        (CreateApp, ["-n", "-1"], "-n must be a whole number from 1 to 2,000,000, not -1."),
        (CreateApp, ["-n", "9" * 30], "-n must be a whole number from 1"),
        (TemplateApp, ["-n", "nan"], "-n must be a whole number from 0 to 2,000,000, not 'nan'."),
        (SyncApp, ["--limit-mb=nan"], "--limit-mb must be a number from 0 to 1,000,000,000, not"),
        (SyncApp, ["--limit-mb=inf"], "--limit-mb must be a number"),
        (SyncApp, ["--limit-mb=x"], "--limit-mb must be a number"),
        (InitApp, ["--template=x"], "--template must be any of ['azure', 'emulator'], not 'x'."),
        (ListApp, ["--profile"], "--profile needs a value"),
        (ListApp, ["--profile", "--json"], "--profile needs a value"),
        (ListApp, ["--profile=a", "--profile", "b"], "--profile is given twice"),
        (ListApp, ["--profile=a", "--ListApp.profile=b"], "--ListApp.profile is given twice"),
    ],
)
def test_bad_values(
    kind: type[Command], words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in _refused(kind, words, capsys)


@pytest.mark.parametrize(
    "words",
    [
        ["--profile=a", "--json"],
        ["--profile", "a", "--json"],
        ["--ListApp.profile=a", "--ListApp.as_json=True"],
        ["--SubscriptionCommand.profile", "a", "--ListApp.as_json", "1"],
    ],
)
def test_all_forms_of_an_option_are_taken(words: list[str]) -> None:
    app = ListApp()
    app.initialize(words)
    assert (app.profile, app.as_json) == ("a", True)
