"""cloud-init's part of a boot: files and scripts in its order, its log, its status program."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from .cloud_config import CloudConfig, parse
from .power_programs import power_programs
from .session_process import LIMITED
from .vm_environment import LOGIN_UMASK, programs_directory

OUTPUT_LOG = "cloud-init-output.log"
KERNEL_LINE = "[    0.000000] Linux version 6.8.0-emulated (a machine of the emulator)"
# `cloud-init status [--wait] [--long]`; $0 lies in the directory "bin" beside the status.
STATUS_PROGRAM = """#!/bin/sh
status_file=$(dirname "$0")/../cloud-init-status
case "$1" in
status) shift ;;
*) echo "usage: cloud-init status [--wait] [--long]; nothing else is on this machine" >&2; exit 2 ;;
esac
for option in "$@"; do
    case "$option" in
    --wait | -w) while [ "$(cat "$status_file")" = running ]; do printf .; sleep 0.1; done ;;
    --long | -l) long=yes ;;
    *) echo "cloud-init status: unknown option $option" >&2; exit 2 ;;
    esac
done
status=$(cat "$status_file")
echo "status: $status"
[ -z "$long" ] || printf 'boot_status_code: enabled-by-generator\\ndetail: DataSourceAzure\\n'
[ "$status" != error ]
"""


class Boot:
    """One boot of a machine, in the order prepare(), begin(), then sshd comes up, finish()."""

    def __init__(self, data: bytes, directory: Path, home: Path) -> None:
        self._data = data
        self._directory = directory
        self._home = home
        self._log_path = directory / OUTPUT_LOG
        self._config = CloudConfig()
        self._first = not home.exists()
        self._failed = False

    def say(self, text: str) -> None:
        with open(self._log_path, "a", encoding="utf-8") as log_file:
            log_file.write(text + "\n")

    def prepare(self) -> CloudConfig:
        """Read customData.

        What can't be understood is logged, and the machine boots all the same.
        """
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._config = parse(self._data, self._home.name, self.say)
        self._set_status("running")
        status = programs_directory(self._directory) / "cloud-init"
        programs = {status: STATUS_PROGRAM, **power_programs(self._directory)}
        for path, content in programs.items():
            _write_program(path, content.encode())
        return self._config

    def _set_status(self, status: str) -> None:
        (self._directory / "cloud-init-status").write_text(status + "\n")

    async def begin(self, environment: dict[str, str]) -> None:
        """Run what comes before sshd: hooks and bootcmd of every boot, files of the first."""
        for number, hook in enumerate(self._config.boot_hooks, 1):
            await self._execute(f"boothook-{number:03}", hook, environment)
        await self._execute("bootcmd", self._config.boot_commands.encode(), environment)
        if self._first:
            self._write_files()

    async def finish(self, environment: dict[str, str]) -> None:
        """Run the scripts, then runcmd, at the first boot alone."""
        if self._first:
            for number, script in enumerate(self._config.scripts, 1):
                await self._execute(f"part-{number:03}", script, environment)
            await self._execute("runcmd", self._config.run_commands.encode(), environment)
        self._set_status("error" if self._failed else "done")

    def _write_files(self) -> None:
        """Write files below the home directory.

        Other absolute paths go below the directory "root".
        """
        for file in self._config.files:
            target = _place(file.path, self._home, self._directory / "root")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(target, "ab" if file.append else "wb") as stream:
                    stream.write(file.content)
                target.chmod(file.mode)
            except (OSError, ValueError) as error:
                self.say(f"write_files: {file.path}: {error}")

    async def _execute(self, name: str, content: bytes, environment: dict[str, str]) -> None:
        """Run a program to its end.

        A failure is in the log and the status, and stops nothing else.
        """
        if not content:
            return
        program = self._directory / "scripts" / name
        _write_program(program, content)
        with open(self._log_path, "ab") as log_file:  # noqa: ASYNC230 - a local append
            try:
                process = await asyncio.create_subprocess_exec(
                    *LIMITED,
                    program,
                    cwd=self._home,
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log_file,
                    stderr=log_file,
                    start_new_session=True,
                    umask=LOGIN_UMASK,
                )
                code = await process.wait()
            except OSError as error:
                os.write(log_file.fileno(), f"{name}: {error}\n".encode())
                code = 1
        if code:
            self._failed = True
            self.say(f"{name} ended with status {code}")


def serial_log(directory: Path, name: str, *, up: bool, has_ssh: bool) -> bytes | None:
    """Return what a machine's serial port has shown; None if it has never booted."""
    if not (directory / "cloud-init-status").exists():
        return None
    lines = [KERNEL_LINE, f"[    1.204512] systemd[1]: Hostname set to <{name}>."]
    with suppress(OSError):
        lines.append((directory / OUTPUT_LOG).read_text(encoding="utf-8", errors="replace"))
    if up:
        verb = "  OK  ] Started" if has_ssh else "FAILED] Failed to start"
        lines += [f"[{verb} ssh.service - OpenBSD Secure Shell server.", f"\n{name} login: "]
    return "\n".join(lines).encode()


def _write_program(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o700)


def _place(path: str, home: Path, root: Path) -> Path:
    """Return where a path lies: /home/NAME is the machine's home; nothing escapes the machine."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    if not path.startswith("/"):
        return home.joinpath(*parts)
    if path.startswith(f"{home}/") and ".." not in path.split("/"):
        return Path(path)
    if parts[:2] == ["home", home.name]:
        return home.joinpath(*parts[2:])
    return root.joinpath(*parts)
