"""The same client does the same things to a machine and to OpenSSH's sshd: nothing differs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import asyncssh
import pytest

from azure_emulator.guest.max_startups import Startups

from .. import openssh
from ..cloud import USER, Keys
from ..hosts import Host
from ..openssh import Server

Action = Callable[[Server], Awaitable[Any]]
ACTIONS: dict[str, Action] = {}


def action(function: Action) -> Action:
    """What it returns must be the same on both; whatever names hosts or paths is left out."""
    ACTIONS[function.__name__] = function
    return function


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Server]:
    reason = openssh.why_not()
    if reason:
        pytest.skip(reason)
    with openssh.running(tmp_path_factory.mktemp("sshd"), keys) as server:
        yield server


@pytest.fixture
def emulated(host: Host) -> Server:
    return Server(host.private, host.port, USER, host.keys)


async def test_every_action_ends_alike(real: Server, emulated: Server) -> None:
    differences = []
    for name, act in ACTIONS.items():
        expected, found = await outcome(act, real), await outcome(act, emulated)
        if expected != found:
            differences.append(f"{name}\n  sshd:    {expected}\n  machine: {found}")
    assert not differences, "\n".join(differences)


async def outcome(act: Action, server: Server) -> Any:
    """What it returns, or the error, which may be what the two have in common."""
    try:
        return await asyncio.wait_for(act(server), 20)
    except (asyncssh.Error, OSError, asyncio.TimeoutError) as error:
        return shown(error)


def shown(error: BaseException) -> tuple[str, ...]:
    return (type(error).__name__, str(getattr(error, "code", "")), str(error))


async def run(server: Server, command: str | None, **options: Any) -> asyncssh.SSHCompletedProcess:
    async with server.connect() as connection:
        return await connection.run(command, **options)


def seen(result: asyncssh.SSHCompletedProcess) -> tuple[Any, ...]:
    return (result.stdout, result.stderr, result.exit_status, result.exit_signal)


# Commands


@action
async def statuses(server: Server) -> Any:
    commands = ("true", "exit 7", "exit 255", "kill -9 $$", "kill -TERM $$", "kill -SEGV $$")
    return [seen(await run(server, command)) for command in commands]


@action
async def a_missing_command(server: Server) -> Any:
    return seen(await run(server, "no-such-program-at-all"))[2:]


@action
async def streams(server: Server) -> Any:
    return seen(await run(server, "cat; echo problem >&2", input="through\n"))


@action
async def much_data(server: Server) -> Any:
    data = os.urandom(3_000_000)
    result = await run(server, "cat", input=data, encoding=None)
    return result.stdout == data, result.exit_status


@action
async def variables(server: Server) -> Any:
    sent = {
        "LC_TEST": "yes",
        "LANG": "C",
        "OTHER": "no",
        "LC": "no",
        "SSH_X": "no",
        "LANGUAGE": "x",
    }
    async with server.connect(env=sent) as connection:
        told = await connection.run('echo "$LC_TEST:$OTHER:$LC:$SSH_X:$LANGUAGE"')
        return told.stdout


@action
async def what_ssh_tells(server: Server) -> Any:
    async with server.connect() as connection:
        port = connection.get_extra_info("sockname")[1]
        told = await connection.run(
            'echo "$SSH_CLIENT|$SSH_CONNECTION|$SSH_TTY|$SSH_ORIGINAL_COMMAND"'
        )
        text = str(told.stdout).replace(f" {port} ", " MINE ").replace(str(server.port), "THERE")
        return text.replace(server.address, "ADDRESS").replace("127.0.0.1", "ADDRESS")


@action
async def the_process_itself(server: Server) -> Any:
    commands = (
        "ls /proc/self/fd | wc -l",
        "test $$ = $(ps -o sid= -p $$) && test $$ = $(ps -o pgid= -p $$); echo $?",
        "yes | head -1; echo ${PIPESTATUS[*]}",
        "readlink /proc/$$/fd/0 | cut -d: -f1",
        "shopt login_shell; echo $-; umask",
        'test "$PWD" = "$HOME"; echo $?',
        "trap",
    )
    return [seen(await run(server, f"{command}")) for command in commands]


@action
async def bash_reads_its_file(server: Server) -> Any:
    async with server.connect() as connection, connection.start_sftp_client() as sftp:
        name = f".bashrc-of-{os.getpid()}"
        async with sftp.open(name, "w") as file:
            await file.write("echo read >&2\n")
        told = await connection.run(f"BASH_ENV={name} bash -c 'echo done'; rm {name}")
        return seen(told)


@action
async def held_output(server: Server) -> Any:
    began = time.monotonic()
    held = await run(server, "sleep 0.5 & echo held")
    delayed = time.monotonic() - began > 0.45
    began = time.monotonic()
    free = await run(server, "nohup sleep 20 >/dev/null 2>&1 </dev/null & echo free")
    half = await run(server, "sleep 20 >/dev/null & echo half >&2; kill $!")
    return seen(held), delayed, seen(free), time.monotonic() - began < 5, seen(half)


@action
async def signals(server: Server) -> Any:
    ended: list[Any] = []
    if os.geteuid() == 0:
        return ended  # for root sshd delivers none
    async with server.connect() as connection:
        for name in ("TERM", "INT", "KILL", "HUP", "USR1", "USR2", "ALRM"):
            process = await connection.create_process("echo ready; exec sleep 2")
            await process.stdout.readline()
            process.send_signal(name)
            result = await process.wait()
            ended.append((result.exit_status, result.exit_signal))
    return ended


@action
async def sessions(server: Server) -> Any:
    async with server.connect() as connection:
        several = [await connection.create_process("cat") for _ in range(10)]
        errors = []
        for start in (connection.run("true"), connection.start_sftp_client()):
            try:
                await start
            except asyncssh.ChannelOpenError as error:
                errors.append(shown(error))
        several[0].stdin.write_eof()
        await several[0].wait()
        while True:  # sshd counts a session until it has buried its process
            with contextlib.suppress(asyncssh.ChannelOpenError):
                return errors, (await connection.run("true")).exit_status


@action
async def an_unknown_subsystem(server: Server) -> Any:
    async with server.connect() as connection:
        return seen(await connection.run(subsystem="none"))


# Terminals


@action
async def a_terminal(server: Server) -> Any:
    command = "stty size; test -t 0 && test -t 1 && test -t 2; echo $? $TERM; stty -a | grep -c brk"
    result = await run(server, command, term_type="vt100", term_size=(99, 41))
    return seen(result)


@action
async def the_terminal_is_told(server: Server) -> Any:
    result = await run(server, 'test "$SSH_TTY" = "$(tty)"; echo $?', term_type="xterm")
    return seen(result)


@action
async def a_terminal_of_another_size(server: Server) -> Any:
    async with server.connect() as connection:
        command = "trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done"
        process = await connection.create_process(command, term_type="xterm", term_size=(80, 24))
        await process.stdout.readline()
        process.change_terminal_size(120, 50)
        return seen(await process.wait())


@action
async def keys_of_a_terminal(server: Server) -> Any:
    async with server.connect() as connection:
        process = await connection.create_process("echo ready; cat", term_type="xterm")
        await process.stdout.readline()
        process.stdin.write("typed\n")
        first = await process.stdout.readline() + await process.stdout.readline()
        process.stdin.write("\x03")
        result = await process.wait()
        return first, result.exit_status, result.exit_signal


@action
async def a_shell_without_a_terminal(server: Server) -> Any:
    return seen(await run(server, None, input="echo $((6 * 7)); shopt login_shell; exit 2\n"))


@action
async def a_hang_up(server: Server) -> Any:
    """With a terminal the foreground hears it, without one the program lives on."""
    marks = []
    for term in (None, "xterm"):
        mark = f"hang-up-{os.getpid()}-{term}"
        script = f"trap 'echo heard >> {mark}; exit' HUP; echo ready; sleep 0.3; echo on >> {mark}"
        async with server.connect() as connection:
            process = await connection.create_process(script, term_type=term)
            await process.stdout.readline()
            connection.abort()
        await asyncio.sleep(0.7)
        marks.append(seen(await run(server, f"cat {mark}; rm -f {mark}"))[0])
    return marks


# Files


@action
async def status_of_sftp(server: Server) -> Any:
    """What scp and sftp take for success at the end of all."""
    async with server.connect() as connection:
        process = await connection.create_process(subsystem="sftp", encoding=None)
        process.stdin.write_eof()
        return (await process.wait()).exit_status


@action
async def sftp(server: Server) -> Any:
    folder = f"sftp-{os.getpid()}"
    told: list[Any] = []
    async with server.connect() as connection, connection.start_sftp_client() as client:
        told.append(client.version)
        told.append(await client.realpath(".") == str((await connection.run("pwd")).stdout).strip())
        await client.mkdir(folder)
        async with client.open(f"{folder}/a", "wb") as file:
            await file.write(b"x" * 100_000)
        told.append((await client.stat(f"{folder}/a")).size)
        told.append(oct((await client.stat(f"{folder}/a")).permissions or 0))
        await client.symlink("a", f"{folder}/link")
        told.append(await client.readlink(f"{folder}/link"))
        await client.posix_rename(f"{folder}/a", f"{folder}/b")
        told.append(sorted(str(name) for name in await client.listdir(folder)))
        for problem in (
            client.stat(f"{folder}/none"),
            client.rmdir(folder),
            client.mkdir(folder),
            client.rename(f"{folder}/b", f"{folder}/link"),
            client.listdir(f"{folder}/b"),
        ):
            told.append(await failure(problem))
        told.append((await client.statvfs(folder)).bsize > 0)
        await client.rmtree(folder)
    return told


async def failure(work: Awaitable[Any]) -> Any:
    try:
        await work
    except asyncssh.SFTPError as error:
        return type(error).__name__, error.code
    return "succeeded"


# Forwards


@action
async def forwards(server: Server) -> Any:
    told: list[Any] = []
    async with server.connect() as connection:
        with socket.create_server((server.address, 0)) as listener:
            reader, writer = await connection.open_connection(*listener.getsockname())
            accepted, _ = listener.accept()
            with accepted:
                accepted.sendall(b"hello")
                accepted.shutdown(socket.SHUT_WR)
                told.append(await reader.read())
                writer.write(b"answer")
                writer.write_eof()
                await asyncio.sleep(0.1)
                told.append(accepted.recv(100))
            writer.close()
        for host, port in ((server.address, 1), ("no-such-host.invalid", 1)):
            try:
                await connection.open_connection(host, port)
            except asyncssh.ChannelOpenError as error:
                told.append(shown(error)[:2] if "invalid" in host else shown(error))
    return told


@action
async def a_listener_there(server: Server) -> Any:
    async with server.connect() as connection:

        def serve(*_: Any) -> Any:
            return lambda reader, writer: writer.write(b"from here") or writer.close()

        listener = await connection.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.get_port())
        data = await reader.read()
        writer.close()
        listener.close()
        await listener.wait_closed()
        with contextlib.suppress(OSError):
            await asyncio.open_connection("127.0.0.1", listener.get_port())
            return "still listens"
    return data


@action
async def a_forward_to_a_unix_socket(server: Server) -> Any:
    path = f"/tmp/forward-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        try:
            async with server.connect() as connection:
                reader, _ = await connection.open_unix_connection(path)
                accepted, _ = listener.accept()
                with accepted:
                    accepted.sendall(b"hello")
                return await reader.read()
        finally:
            os.unlink(path)


# Logging in


@action
async def who_may_log_in(server: Server) -> Any:
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    told: list[Any] = []
    for options in (
        {"client_keys": [stranger]},
        {"username": "nobody-of-that-name"},
        {"client_keys": None, "password": "x"},
        {"client_keys": None},
        {"client_keys": [stranger] * 5, "username": "nobody-of-that-name"},
    ):
        try:
            async with server.connect(**options):
                told.append("logged in")
        except asyncssh.Error as error:
            told.append(shown(error)[:2])
    return told


@action
async def too_many_tries(server: Server) -> Any:
    strangers = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(8)]
    told = []
    for count in (5, 6, 8):
        try:
            async with server.connect(client_keys=[*strangers[:count], server.keys.login]):
                told.append(("logged in",))
        except asyncssh.Error as error:
            told.append(shown(error)[:2])
    return told


@action
async def methods(server: Server) -> Any:
    return await asyncssh.get_server_auth_methods(
        server.address, server.port, username=server.user, config=None
    )


@action
async def host_keys_are_announced(server: Server) -> Any:
    announced: list[int] = []

    def told(added: list[Any], removed: list[Any], kept: list[Any], gone: list[Any]) -> None:
        announced.append(len(added) + len(kept))

    async with server.connect(server_host_keys_handler=told) as connection:
        await connection.run("true")
    return announced


@action
async def the_banner_comes_first(server: Server) -> Any:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    line = await reader.readline()
    writer.close()
    return re.fullmatch(rb"SSH-2\.0-[!-,.-~]+( [ -~]*)?\r\n", line) is not None


@action
async def who_does_not_speak_ssh(server: Server) -> Any:
    ended = 0
    for text in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-1.5-old\r\n", b"\r\n"):
        reader, writer = await asyncio.open_connection(server.address, server.port)
        await reader.readline()
        writer.write(text)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 3)  # sshd says why, a machine does not
        ended += 1
        writer.close()
    return ended


@action
async def keepalives(server: Server) -> Any:
    async with server.connect(keepalive_interval=0.1, keepalive_count_max=2) as connection:
        await asyncio.sleep(0.6)
        return (await connection.run("echo alive")).stdout


@action
async def starting_connections(server: Server) -> Any:
    """MaxStartups 10:30:100."""
    opened = [await asyncio.open_connection(server.address, server.port) for _ in range(160)]
    first = await asyncio.gather(*(line(reader) for reader, _ in opened))
    for _, writer in opened:
        writer.close()
    welcome = sum(text.startswith(b"SSH-2.0-") for text in first)
    others = {text for text in first if not text.startswith(b"SSH-2.0-")}
    all_of_ten = all(text.startswith(b"SSH-2.0-") for text in first[:10])
    return all_of_ten, 20 < welcome <= 100, others


async def line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.readline(), 5)
    except ConnectionError:
        return b""


async def test_a_login_has_the_usual_limit_of_open_files(emulated: Server) -> None:
    """Ubuntu's; the emulator's own is far higher, and would hide a program that needs more."""
    for options in ({}, {"term_type": "xterm"}):
        result = await run(emulated, "ulimit -S -n", **options)
        assert str(result.stdout).split() == ["1024"]
    async with emulated.connect() as connection:
        raised = await connection.run("ulimit -S -n $(ulimit -H -n) && ulimit -n")
    assert int(str(raised.stdout)) > 1024


def test_the_chance_of_being_dropped_grows() -> None:
    startups = Startups()
    admitted = 0
    for _ in range(10):
        assert startups.admit()
    for _ in range(2000):
        admitted += startups.admit()
    assert 20 < admitted <= 90
    for _ in range(admitted):
        startups.settle()
    assert not all(startups.admit() for _ in range(100))
