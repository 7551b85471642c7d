"""Packages of indexes that pip and uv are configured with here, and their credentials."""

import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from ipcluster_azure.environment.indexes import Indexes, indexes_of, without_credentials
from ipcluster_azure.errors import ConfigurationError
from tests.package_index import PackageIndex, served

from ....complete import variant
from .conftest import IPYPARALLEL
from .test_prepare import distribution, installed, locked, prepared

SECRET = "s3cr3t-pa55"
HERE = installed(distribution("private-thing", "1.0"))


@pytest.fixture
def private(index: PackageIndex) -> Iterator[PackageIndex]:
    """Another index than that of all tests, with a password."""
    with served(PackageIndex(password=SECRET)) as private:
        private.add("private-thing", "1.0")
        yield private


def configure_pip(private: PackageIndex, patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("PIP_EXTRA_INDEX_URL", private.url_for("me", SECRET))


def configure_pip_file(private: PackageIndex, patch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "pip.conf").write_text(
        f"[global]\nextra-index-url =\n    {private.url_for('me', SECRET)}\n"
    )
    patch.setenv("PIP_CONFIG_FILE", str(folder / "pip.conf"))


def configure_netrc(private: PackageIndex, patch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    (folder / "netrc").chmod(0o600)
    patch.setenv("NETRC", str(folder / "netrc"))
    patch.setenv("PIP_EXTRA_INDEX_URL", private.url)


def configure_uv(private: PackageIndex, patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("UV_INDEX", f"corp={private.url}")
    patch.setenv("UV_INDEX_CORP_USERNAME", "me")
    patch.setenv("UV_INDEX_CORP_PASSWORD", SECRET)


def configure_uv_file(private: PackageIndex, patch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "uv.toml").write_text(
        f'[[index]]\nname = "corp"\nurl = "{private.url_for("me", SECRET)}"\n'
    )
    patch.delenv("UV_NO_CONFIG")
    patch.setenv("UV_CONFIG_FILE", str(folder / "uv.toml"))


def configure_keyring(private: PackageIndex, patch: pytest.MonkeyPatch, folder: Path) -> None:
    program = folder / "bin" / "keyring"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho {SECRET}\n")
    program.chmod(0o700)
    patch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    patch.setenv("PIP_EXTRA_INDEX_URL", private.url.replace("://", "://me@"))


@pytest.mark.parametrize(
    "configure",
    [
        pytest.param(configure_pip, id="pip"),
        pytest.param(configure_pip_file, id="pip.conf", marks=variant),
        pytest.param(configure_netrc, id="netrc"),
        pytest.param(configure_uv, id="uv"),
        pytest.param(configure_uv_file, id="uv.toml", marks=variant),
        pytest.param(configure_keyring, id="keyring"),
    ],
)
def test_an_index_with_a_password_is_used_and_the_password_stays_here(
    configure: object,
    private: PackageIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert callable(configure)
    folder = tmp_path / "folder"
    folder.mkdir()
    configure(private, monkeypatch, tmp_path)
    with arguments_of_processes() as seen:
        result = prepared(HERE, folder)

    assert locked(result).keys() == {"ipyparallel", "private-thing"}
    assert len(result.wheels) == 2
    assert seen
    assert not [text for text in seen if SECRET in text]
    told = [caplog.text, repr(result), *(repr(indexes_of("/", os.environ, folder)),)]
    assert SECRET not in "".join(told)
    for path in folder.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()
    for path in folder.glob("pylock.*.*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


class arguments_of_processes:  # noqa: N801
    """A context in which the command lines of all processes below this one are collected."""

    def __enter__(self) -> list[str]:
        self.seen: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self.seen

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.005):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    text = path.read_bytes().decode(errors="replace")
                except OSError:
                    continue
                if "pip\0compile" in text:
                    self.seen.append(text)


@pytest.mark.parametrize("another", ["", "9.0"])
def test_a_wrong_password_is_one_line_that_names_the_index(
    another: str,
    private: PackageIndex,
    index: PackageIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if another:
        index.add("private-thing", another)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", private.url_for("me", "wr0ng"))

    with pytest.raises(ConfigurationError) as caught:
        prepared(HERE, tmp_path)

    message = str(caught.value)
    assert f"{private.url} refused the user name or password (HTTP 401)" in message
    assert "private-thing" in message
    assert "wr0ng" not in message
    assert "\n" not in message


@pytest.mark.parametrize("patience_s", ["1", pytest.param("", marks=variant)])
def test_an_index_that_does_not_answer_is_named_soon(
    patience_s: str, index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if patience_s:
        monkeypatch.setenv("UV_HTTP_TIMEOUT", patience_s)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"http://me:{SECRET}@127.0.0.1:{port}/simple"
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", url)
        started = time.monotonic()
        with pytest.raises(ConfigurationError) as caught:
            prepared(HERE, tmp_path)
        assert time.monotonic() - started < 25

    message = str(caught.value)
    assert f"The package index http://127.0.0.1:{port}/simple can't be used" in message
    assert SECRET not in message
    assert "\n" not in message


@variant
def test_an_index_that_refuses_connections_is_named(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"http://127.0.0.1:{port}/simple")

    with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port}/simple can't be used"):
        prepared(HERE, tmp_path)


@pytest.mark.parametrize("way", ["cert", "trusted-host", ""])
def test_certificates_are_those_of_pip(
    way: str, unconfigured: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with served(PackageIndex(), context) as index:
        index.add("ipyparallel", IPYPARALLEL)
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        if way == "cert":
            monkeypatch.setenv("PIP_CERT", str(tmp_path / "authority.pem"))
        elif way == "trusted-host":
            monkeypatch.setenv("PIP_TRUSTED_HOST", f"127.0.0.1:{index.port}")
        else:
            with pytest.raises(ConfigurationError, match=r"certificate"):
                prepared(installed(), tmp_path)
            return
        assert locked(prepared(installed(), tmp_path)) == {"ipyparallel": IPYPARALLEL}


def test_files_of_this_computer_are_sent(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links, folder = tmp_path / "links", tmp_path / "folder"
    links.mkdir()
    folder.mkdir()
    other = PackageIndex()
    for name, version in (("found", "1.0"), ("listed", "2.0")):
        file_name = other.add(name, version)
        (links / file_name).write_bytes(other.files[file_name])
    page = links / "simple" / "listed"
    page.mkdir(parents=True)
    (links / file_name).rename(page / file_name)
    (page / "index.html").write_text(f'<a href="{file_name}">{file_name}</a>')
    monkeypatch.setenv("PIP_FIND_LINKS", f"{links} {tmp_path / 'not there'}")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", (links / "simple").as_uri())

    here = installed(distribution("found", "1.0"), distribution("listed", "2.0"))
    result = prepared(here, folder)

    assert locked(result).keys() == {"ipyparallel", "found", "listed"}
    assert len(result.wheels) == 3


def test_a_version_is_taken_from_any_index_as_pip_does(
    private: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv would look no further than the first index that has another version of it."""
    with served(PackageIndex(hashes=False)) as other:
        other.add("private-thing", "2.0")
        extra = f"{other.url} {private.url_for('me', SECRET)}"
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", extra)
        for version in ("1.0", "2.0"):
            folder = tmp_path / version
            folder.mkdir()
            result = prepared(installed(distribution("private-thing", version)), folder)
            assert locked(result)["private-thing"] == version


def test_pip_configuration_is_read_as_pip_does(
    unconfigured: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared with pip itself, for the files of an environment, and the variables."""
    from ipcluster_azure.environment.pip_settings import pip_settings

    home = tmp_path / "home"
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text(
        "[global]\nindex_url = https://user.example/simple\ntrusted-host = a.example\n"
        "  b.example\n[install]\nno-index = yes\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://x.example/simple https://y.example/simple")
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )

    found = pip_settings(sys.prefix, os.environ)

    wanted = {}
    for line in listed.stdout.splitlines():
        name, _, text = line.partition("=")
        wanted[name.rpartition(".")[2]] = text.strip("'").replace("\\n", "\n")
    assert found == wanted
    assert found["index-url"] == "https://user.example/simple"


def test_damage_to_a_configuration_is_told_without_what_it_holds(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pip.conf"
    path.write_text(f"extra-index-url = https://me:{SECRET}@corp.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))

    with pytest.raises(ConfigurationError) as caught:
        prepared(HERE, tmp_path)

    assert str(path) in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "stays"),
    [
        ("https://files.pythonhosted.org/packages/x-1.0-py3-none-any.whl", False),
        ("https://me:pw@files.pythonhosted.org/x-1.0-py3-none-any.whl", True),
        ("https://corp.example/x-1.0-py3-none-any.whl", True),  # its index needs a password
        ("https://blob.example/x-1.0-py3-none-any.whl?sig=abc", True),
        ("http://10.1.2.3/x-1.0-py3-none-any.whl", True),
        ("http://[::1]:8000/x-1.0-py3-none-any.whl", True),
        ("http://localhost:3141/x-1.0-py3-none-any.whl", True),
        ("http://devpi/x-1.0-py3-none-any.whl", True),
        ("file:///srv/x-1.0-py3-none-any.whl", True),
    ],
)
def test_what_machines_can_fetch_themselves(url: str, stays: bool, unconfigured: None) -> None:
    indexes = Indexes({}, (), ("https://me:pw@corp.example/simple",), "")
    assert indexes.stays_here(url) is stays


def test_addresses_are_shown_without_what_is_secret() -> None:
    shown = without_credentials("https://me:pw@corp.example:8443/simple/?sig=abc#x")
    assert shown == "https://corp.example:8443/simple/"


def test_of_a_project_here_the_indexes_count_and_the_constraints_do_not(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(PackageIndex()) as explicit:
        explicit.add("torch", "2.0+cpu")
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=4"\n'
            '[tool.uv]\nconstraint-dependencies = ["torch<1"]\n'
            f'[[tool.uv.index]]\nname = "torch"\nurl = "{explicit.url}"\nexplicit = true\n'
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("UV_NO_CONFIG")

        result = prepared(installed(distribution("torch", "2.0+cpu")), tmp_path)

    assert locked(result)["torch"] == "2.0+cpu"


@pytest.mark.parametrize("text", ["[project", "[tool.uv]\nindex = 3\npip = 4", "tool = 1", "\xff"])
def test_a_project_here_that_uv_would_not_mind_is_passed_over(
    text: str, unconfigured: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_bytes(text.encode("latin-1"))
    monkeypatch.delenv("UV_NO_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert indexes_of("/", os.environ, tmp_path).urls == ()
