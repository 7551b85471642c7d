"""Errors of ours in Jupyter's server: an HTTPError that is the same error otherwise."""

import logging
import sys

import pytest
from tornado.web import HTTPError

from ipcluster_azure import errors
from ipcluster_azure.launchers.server_errors import SERVER_EXTENSION, for_this_program

MESSAGE = "50% of 'a %s'\nare %(too) many {}."


def _leaves() -> list[type[errors.AzureLauncherError]]:
    found: list[type[errors.AzureLauncherError]] = []
    left = [errors.AzureLauncherError]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if kind.__module__ == errors.__name__:
            found.append(kind)
    return found


def _made(kind: type[errors.AzureLauncherError]) -> errors.AzureLauncherError:
    error = kind.__new__(kind, MESSAGE)
    error.args = (MESSAGE,)  # an OSError with an __init__ of its own has none so far
    if isinstance(error, errors.RequestRefused):
        error.code = "Code"
    return error


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, SERVER_EXTENSION, sys)


@pytest.mark.parametrize("kind", _leaves())
def test_only_the_base_classes_differ(kind: type[errors.AzureLauncherError], server: None) -> None:
    error = _made(kind)
    shown = for_this_program(error)
    assert isinstance(shown, kind)
    assert isinstance(shown, HTTPError)
    assert (shown.status_code, shown.reason, shown.log_message) == (500, None, MESSAGE)
    assert (str(shown), repr(shown), shown.args) == (str(error), repr(error), error.args)
    assert type(shown).__module__ == kind.__module__
    assert shown.__dict__.items() >= error.__dict__.items()


def test_all_tornados_can_write_it_into_their_log(
    server: None, caplog: pytest.LogCaptureFixture
) -> None:
    shown = for_this_program(errors.QuotaExceeded(MESSAGE))
    assert isinstance(shown, HTTPError)
    log = logging.getLogger(__name__)
    log.warning("%d %s: " + shown.log_message, 500, "POST", *shown.args)  # until 6.4
    log.warning("%d %s: %s", 500, "POST", shown.get_message())
    assert [entry.getMessage() for entry in caplog.records] == [f"500 POST: {MESSAGE}"] * 2
    assert shown.log_message % shown.args == MESSAGE  # as Jupyter's pages do


def test_elsewhere_and_of_errors_of_others_nothing_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, SERVER_EXTENSION, raising=False)
    ours, theirs = errors.QuotaExceeded(MESSAGE), RuntimeError(MESSAGE)
    assert for_this_program(ours) is ours
    monkeypatch.setitem(sys.modules, SERVER_EXTENSION, sys)
    assert for_this_program(theirs) is theirs
