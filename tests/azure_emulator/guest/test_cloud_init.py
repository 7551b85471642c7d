"""customData and userData in all forms that cloud-init reads."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import subprocess
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from azure_emulator.guest.cloud_config import CloudConfig, parse
from azure_emulator.guest.cloud_init import Boot

from ..cloud import USER, Keys, Site, encoded
from ..hosts import make_host, until


def parsed(data: str | bytes) -> tuple[CloudConfig, list[str]]:
    said: list[str] = []
    raw = data.encode() if isinstance(data, str) else data
    return parse(raw, USER, said.append), said


def config(**members: Any) -> str:
    return "#cloud-config\n" + json.dumps(members)


def message(*parts: tuple[str, str]) -> bytes:
    """A MIME message as `cloud-init devel make-mime` writes it."""
    whole = MIMEMultipart()
    for kind, content in parts:
        whole.attach(MIMEText(content, kind.split("/")[1]))
    return whole.as_bytes()


def test_a_mime_message() -> None:
    data = message(
        ("text/cloud-config", config(runcmd=["first"], bootcmd=["kept"])),
        ("text/x-shellscript", "#!/bin/sh\necho script\n"),
        ("text/cloud-config", config(runcmd=[["second", "two words"]])),
        ("text/cloud-boothook", "#cloud-boothook\n#!/bin/sh\necho hook\n"),
        ("text/plain", "#!/bin/sh\necho guessed\n"),
        ("text/x-include-url", "#include\nhttps://example.com/more\n"),
    )
    for form in (data, gzip.compress(data)):
        found, said = parsed(form)
        assert found.run_commands == "#!/bin/sh\nsecond 'two words'\n"  # later members replace
        assert found.boot_commands == "#!/bin/sh\nkept\n"
        assert found.scripts == (b"#!/bin/sh\necho script\n", b"#!/bin/sh\necho guessed\n")
        assert found.boot_hooks == (b"#!/bin/sh\necho hook\n",)
        assert said == ["a part of type text/x-include-url in customData is not carried out"]


def test_an_archive() -> None:
    items = [
        {"type": "text/cloud-config", "content": json.dumps({"runcmd": ["one"]})},
        "#!/bin/sh\ntrue\n",
        {"content": config(bootcmd=["two"])},
    ]
    found, said = parsed("#cloud-config-archive\n" + json.dumps(items))
    assert (found.run_commands, found.boot_commands) == ("#!/bin/sh\none\n", "#!/bin/sh\ntwo\n")
    assert found.scripts == (b"#!/bin/sh\ntrue\n",)
    assert said == []


@pytest.mark.parametrize(
    ("encoding", "make"),
    [
        ("", lambda raw: raw),
        ("text/plain", lambda raw: raw),
        ("b64", encoded),
        ("base64", encoded),
        ("gz+b64", lambda raw: encoded(gzip.compress(raw.encode()))),
        ("gzip+base64", lambda raw: encoded(gzip.compress(raw.encode()))),
    ],
)
def test_encodings_of_files(encoding: str, make: Any) -> None:
    entry = {"path": "/etc/x", "content": make("content é"), "owner": "nobody:nogroup"}
    if encoding:
        entry["encoding"] = encoding
    (file,) = parsed(config(write_files=[entry]))[0].files
    assert file.content.decode() == "content é"
    assert (file.mode, file.append) == (0o644, False)


def test_binary_content_and_modes() -> None:
    packed = gzip.compress(b"packed")
    text = f"""#cloud-config
write_files:
- path: /a
  encoding: gzip
  content: !!binary {base64.b64encode(packed).decode()}
  permissions: '0755'
- path: /b
  permissions: 0600
  append: true
- path: /c
  permissions: "999"
- {{}}
- path: /d
  encoding: rot13
  content: x
"""
    found, said = parsed(text)
    assert [(file.path, file.content, file.mode, file.append) for file in found.files] == [
        ("/a", b"packed", 0o755, False),
        ("/b", b"", 0o600, True),
        ("/d", b"x", 0o644, False),
    ]
    assert len(said) == 3


def test_what_is_not_carried_out_is_said() -> None:
    found, said = parsed(
        config(packages=["curl"], package_update=True, users=["default", {"name": "other"}])
    )
    assert found == CloudConfig()
    assert [line.split()[0] for line in said[:2]] == ["packages", "package_update"]
    assert "other" in said[2]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff\xfe",
        b"#cloud-config\n- list",
        b"#cloud-config\n{a: b: c}",
        b"#cloud-config\n" + b"[" * 5000,
        b"\x1f\x8b broken",
        b"Content-Type: multipart/mixed\n\nno boundary",
        b"#cloud-config-archive\n{}",
        b'#cloud-config\n{"write_files": 7, "runcmd": {"a": 1}, "ssh_keys": [1], "users": "x"}',
        b'#cloud-config\n{"write_files": [{"path": "/x", "content": "a", "encoding": "b64"}]}',
        b'#cloud-config\n{"runcmd": [[1, null], {"a": 1}]}',
    ],
)
def test_nothing_stops_a_boot(data: bytes) -> None:
    found, said = parsed(data)
    assert (found.files, found.run_commands) == ((), "")
    assert said


def test_the_order_of_a_boot_and_its_status(tmp_path: Path) -> None:
    data = message(
        (
            "text/cloud-config",
            config(
                bootcmd=["echo bootcmd >> $HOME/order; ls $HOME/early 2>/dev/null"],
                write_files=[{"path": "early", "content": "x"}],
                runcmd=[
                    "value=kept",
                    "echo runcmd $value >> order",
                    "cat early",
                    "false",
                    "exit 3",
                ],
            ),
        ),
        ("text/x-shellscript", "#!/bin/sh\necho script >> order\n"),
        ("text/cloud-boothook", "#cloud-boothook\n#!/bin/sh\necho hook >> order\n"),
    )
    home = tmp_path / "home" / USER
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    program = tmp_path / "bin" / "cloud-init"
    for boot_number in (1, 2):
        boot = Boot(data, tmp_path, home)
        boot.prepare()
        status = subprocess.run([program, "status"], capture_output=True, text=True)
        assert (status.stdout, status.returncode) == ("status: running\n", 0)
        asyncio.run(boot.begin(environment))
        command = [program, "status", "--wait"]
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        asyncio.run(boot.finish(environment))
        told = waiting.communicate(timeout=5)[0]
        if boot_number == 1:
            assert (told.lstrip("."), waiting.returncode) == ("status: error\n", 1)
    assert (home / "order").read_text().split("\n")[:-1] == [
        *("hook", "bootcmd", "script", "runcmd kept"),
        *("hook", "bootcmd"),  # of every boot
    ]
    log = (tmp_path / "cloud-init-output.log").read_text()
    assert "runcmd ended with status 3" in log
    status = subprocess.run([program, "status", "--long"], capture_output=True, text=True)
    assert status.stdout.startswith("status: done\n")
    assert subprocess.run([program, "query"], capture_output=True).returncode == 2


async def test_keys_of_custom_data_admit(lan: Site, keys: Keys) -> None:
    added, other = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    public = [key.export_public_key().decode() for key in (added, other)]
    users = ["default", {"name": USER, "ssh_authorized_keys": [public[1]]}]
    custom_data = keys.custom_data(
        ssh_authorized_keys=[public[0], "no key"],
        users=users,
        runcmd=["sleep 0.3; touch ready"],
    )
    host = make_host(lan, keys, customData=custom_data)
    for key in (keys.login, added, other):
        async with host.connect(client_keys=[key]) as connection:
            done = await connection.run("cloud-init status --wait && ls ready")
            assert str(done.stdout).lstrip(".") == "status: done\nready\n"


async def test_a_long_bootcmd_delays_ssh_as_on_azure(lan: Site, keys: Keys) -> None:
    custom_data = keys.custom_data(bootcmd=["sleep 2.5; touch early"])
    host = make_host(lan, keys, customData=custom_data)
    assert not (host.home / "early").exists()
    async with host.connect() as connection:
        assert (await connection.run("ls early")).stdout == "early\n"
    await until((host.directory / "cloud-init-status").exists, "no status")
