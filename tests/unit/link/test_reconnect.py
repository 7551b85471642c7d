"""What the link's log says while there is no connection."""

import logging

import pytest

from ipcluster_azure.errors import BootTimeout, MachineFailed
from ipcluster_azure.link.reconnect import _warn


def test_causes_are_told_once_and_again_when_they_change(caplog: pytest.LogCaptureFixture) -> None:
    told = ""
    with caplog.at_level(logging.WARNING, "ipcluster_azure.link.reconnect"):
        for causes in ("(1) a wall.", "(1) a wall.", "(1) a fence."):
            told = _warn(BootTimeout("No answer.", causes), told)
        told = _warn(MachineFailed("broken"), told)
        _warn(BootTimeout("No answer.", "(1) a fence."), told)
    assert caplog.messages == [
        "No answer. (1) a wall.",
        "No answer.",
        "No answer. (1) a fence.",
        "broken",
        "No answer. (1) a fence.",
    ]
