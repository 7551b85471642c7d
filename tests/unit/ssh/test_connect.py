"""Against real SSH servers in this process."""

import asyncio
import getpass
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from ipcluster_azure.errors import (
    BootstrapFailed,
    BootTimeout,
    ConfigurationError,
    HostKeyMismatch,
    MachineFailed,
)
from ipcluster_azure.ssh.connect import Target, _within, connect
from ipcluster_azure.ssh.connection import MAX_SESSIONS, Connection
from ipcluster_azure.ssh.keys import make_host_key, make_login_key
from ipcluster_azure.ssh.silence import Symptom

READS_NOTHING = "ends at once"
LOGIN_KEY, HOST_KEY = make_login_key(), make_host_key()


class Machine(asyncssh.SSHServer):
    """Lets one key in; runs commands in a shell here; counts what runs at the same time."""

    running = most = 0

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        wanted = asyncssh.import_public_key(LOGIN_KEY.public)
        return username == "azureuser" and key.public_data == wanted.public_data

    @classmethod
    async def handle(cls, process: "asyncssh.SSHServerProcess[bytes]") -> None:
        if process.command == READS_NOTHING:
            process.stdout.write(b"1\n")
            process.exit(0)
            return
        cls.running += 1
        cls.most = max(cls.most, cls.running)
        shell = await asyncio.create_subprocess_shell(
            process.command or "", *[asyncio.subprocess.PIPE] * 3
        )
        try:
            output, errors = await shell.communicate(await process.stdin.read())
        finally:
            cls.running -= 1
            shell._transport.close()  # type: ignore[attr-defined]  # what hangs, at the end of a test
        with suppress(BrokenPipeError, asyncssh.Error):  # of a client that has left
            process.stdout.write(output)
            process.stderr.write(errors)
            process.exit(shell.returncode or 0)


def write_login_key(key_file: Path, private: str) -> None:
    key_file.write_text(private)
    key_file.chmod(0o600)


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Target]:
    key_file = tmp_path / "key"
    write_login_key(key_file, LOGIN_KEY.private)
    server = await asyncssh.create_server(
        Machine,
        "127.0.0.1",
        0,
        server_host_keys=[asyncssh.import_private_key(HOST_KEY.private)],
        process_factory=Machine.handle,
        encoding=None,
    )
    port = server.get_port()
    yield Target("vm-1", "127.0.0.1", port, "azureuser", str(key_file), HOST_KEY.public)
    server.close()
    await server.wait_closed()
    while Machine.running:  # commands that their test has given up on
        await asyncio.sleep(0.02)


@pytest.fixture
async def connection(target: Target) -> AsyncIterator[Connection]:
    async with await connect(target, timeout_s=5) as connection:
        yield connection


async def test_events_of_a_command(connection: Connection) -> None:
    seen = []
    events = await connection.events(
        """cat; echo noise; echo '{"event": "ready", "n": 1}'; echo '{"event": "ready", "n": 2}'""",
        stdin=b'{"event": "echo"}\n',
        timeout_s=10,
        on_event=lambda event: seen.append(event["event"]),
    )
    assert events == {"echo": {"event": "echo"}, "ready": {"event": "ready", "n": 2}}
    assert seen == ["echo", "ready", "ready"]


async def test_another_host_key_is_refused_at_once(target: Target) -> None:
    started = time.monotonic()
    with pytest.raises(HostKeyMismatch, match=r"vm-1 at 127\.0\.0\.1"):
        await connect(replace(target, host_key=make_host_key().public), timeout_s=30)
    assert time.monotonic() - started < 10


async def test_a_machine_that_is_not_there_yet_is_tried_again(target: Target) -> None:
    with pytest.raises(BootTimeout, match="vm-1 did not answer over SSH"):
        await connect(replace(target, port=9), timeout_s=1.5)


@pytest.mark.parametrize(
    ("port", "symptom"), [(9, Symptom.REFUSAL), (0, Symptom.LOGIN)], ids=["refused", "login"]
)
async def test_the_causes_are_those_of_how_it_failed_last(
    target: Target, tmp_path: Path, port: int, symptom: Symptom
) -> None:
    key_file = tmp_path / "other"
    key_file.write_text(make_login_key().private)
    wrong = replace(
        target,
        port=port or target.port,
        key_file=str(key_file),
        causes=lambda found: [f"it is {found.value}"],
    )
    with pytest.raises(BootTimeout) as caught:
        await connect(wrong, timeout_s=1)
    assert str(caught.value).startswith(f"{caught.value.message} ")
    assert caught.value.causes.endswith(f"(1) it is {symptom.value}.")


async def test_a_login_that_is_refused_is_a_time_out_with_the_reason(
    target: Target, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text(make_login_key().private)
    with pytest.raises(BootTimeout, match="Permission denied"):
        await connect(replace(target, key_file=str(other)), timeout_s=1)


async def test_a_new_key_in_the_same_file_is_the_one_that_counts(target: Target) -> None:
    async with await connect(target, timeout_s=5):
        pass
    write_login_key(Path(target.key_file), make_login_key().private)
    with pytest.raises(BootTimeout, match="Permission denied"):
        await connect(target, timeout_s=0.5)


@pytest.mark.parametrize("content", [None, "", "no key"])
async def test_an_unreadable_key(target: Target, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "broken"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match="can't be read"):
        await connect(replace(target, key_file=str(path)), timeout_s=30)


async def test_a_failed_command_tells_its_output(connection: Connection) -> None:
    with pytest.raises(BootstrapFailed, match=r"(?s)ended with 3.*too bad"):
        await connection.events("echo too bad >&2; exit 3", timeout_s=10)


async def test_a_command_may_end_before_it_has_read_all(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = connection._running

    @asynccontextmanager
    async def ended(command: str) -> AsyncIterator["asyncssh.SSHClientProcess[bytes]"]:
        async with running(command) as process:
            await process.wait_closed()
            yield process

    monkeypatch.setattr(connection, "_running", ended)
    said: list[bytes] = []
    await connection.read(READS_NOTHING, b"unread", said.append)
    assert said == [b"1\n"]


async def test_a_reason_that_is_given_comes_first(connection: Connection) -> None:
    failed = """echo '{"event": "failed", "reason": "no disk", "log_tail": "ENOSPC"}'; exit 1"""
    with pytest.raises(BootstrapFailed, match=r"(?s)vm-1: no disk.*ENOSPC"):
        await connection.events(failed, timeout_s=10)


async def test_a_command_that_hangs(connection: Connection) -> None:
    with pytest.raises(BootstrapFailed, match="did not finish within"):
        await connection.events("sleep 1", timeout_s=0.3)


class Line:
    """A line to the machine, which may fall silent: then nothing passes, and nothing is closed."""

    def __init__(self, target: Target) -> None:
        self._target, self.silent = target, False
        self._ends: list[asyncio.StreamWriter] = []

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._target.host, self._target.port)
        self._ends += [writer, far_writer]
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if not self.silent:
                writer.write(data)

    def cut(self) -> None:
        for end in self._ends:
            end.transport.abort()


async def test_a_time_limit_holds_on_a_line_that_has_fallen_silent(target: Target) -> None:
    line = Line(target)
    server = await asyncio.start_server(line.relay, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        connection = await connect(replace(target, port=port), timeout_s=5)
        command = asyncio.ensure_future(connection.events("sleep 3", timeout_s=1))
        while not Machine.running:
            await asyncio.sleep(0.02)
        line.silent = True
        done, _ = await asyncio.wait([command], timeout=10)
        assert done, "the command is still waited for"
        assert isinstance(command.exception(), BootstrapFailed)
    finally:
        connection.abort()
        line.cut()
        server.close()


async def test_a_connection_that_breaks(target: Target) -> None:
    async with await connect(target, timeout_s=5) as connection:
        running = asyncio.ensure_future(connection.events("sleep 1", timeout_s=10))
        await asyncio.sleep(0.2)
        connection.abort()
        with pytest.raises(MachineFailed, match="connection to vm-1 broke"):
            await running


async def test_no_more_sessions_at_once_than_openssh_allows(connection: Connection) -> None:
    Machine.most = 0
    commands = [connection.events("sleep 0.1", timeout_s=20) for _ in range(3 * MAX_SESSIONS)]
    await asyncio.gather(*commands)
    assert 1 < Machine.most <= MAX_SESSIONS < 10


async def test_a_user_without_a_name(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    # containers may run as a number without an entry in the list of users
    def nobody() -> str:
        if "LOGNAME" in os.environ:
            return os.environ["LOGNAME"]
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setenv("LOGNAME", "whoever")  # put back as it was at the end
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(getpass, "getuser", nobody)
    async with await connect(target, timeout_s=5) as connection:
        assert await connection.events("true", timeout_s=5) == {}


async def test_a_cancellation_beside_a_refusal_is_not_swallowed() -> None:
    # else a start that was stopped would try its vanished machine until boot_timeout_s is over
    refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        await refused

    attempt = asyncio.ensure_future(_within(10.0, work()))
    await asyncio.sleep(0.01)
    refused.set_exception(ConnectionRefusedError())
    await asyncio.sleep(0)  # the work has ended, the attempt has not noticed
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt


async def test_work_within_its_time_and_beyond() -> None:
    assert await _within(1.0, asyncio.sleep(0, 7)) == 7
    with pytest.raises(asyncio.TimeoutError):
        await _within(0.01, asyncio.sleep(5))
