"""How git is let into a repository, without a question and without a password on a command line."""

import pytest

from ipcluster_azure.environment.git import remote_of

# an address, what git is given of it, and the login in its configuration
ADDRESSES = {
    "plain": ("git+https://h/x.git", "https://h/x.git", None),
    "a user, for whom git knows the password": ("https://me@h/x.git", "https://me@h/x.git", None),
    "a password": ("git+https://me:p%40ss@h:8/x.git", "https://h:8/x.git", "bWU6cEBzcw=="),
    "ssh": ("ssh://git@h/x.git", "ssh://git@h/x.git", None),
    "a path": ("file:///a%20b/x", "file:///a%20b/x", None),
}


@pytest.mark.parametrize(("url", "given", "login"), ADDRESSES.values(), ids=ADDRESSES)
def test_addresses(
    url: str, given: str, login: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")  # the user's own come first
    monkeypatch.delenv("GIT_SSH_COMMAND", raising=False)
    remote = remote_of(url)
    assert remote.url == given
    variables = dict(remote.variables)
    assert variables.pop("GIT_TERMINAL_PROMPT") == "0"
    assert variables.pop("GIT_SSH_COMMAND") == "ssh -o BatchMode=yes"
    if login is None:
        assert variables == {}
    else:
        assert variables == {
            "GIT_CONFIG_COUNT": "3",
            "GIT_CONFIG_KEY_2": "http.https://h:8/.extraHeader",
            "GIT_CONFIG_VALUE_2": f"Authorization: Basic {login}",
        }


def test_the_users_own_ssh_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i key")
    assert "GIT_SSH_COMMAND" not in remote_of("ssh://h/x").variables
