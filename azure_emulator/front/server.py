"""One emulator at work: it listens, says where, and ends by request or when it has been idle."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import ssl
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import trustme
from aiohttp import web

from ..base import connections
from ..client_environment import CONFIG_DIR
from ..guest.machine_interface import MachineHost, NoMachines
from ..metadata.metadata_server import MetadataServer
from ..server_options import ServerSettings
from ..server_process import NOT_LISTENING
from ..state import Emulator
from .dispatch import Router
from .http_front import Front
from .watched_process import Watched

log = logging.getLogger(__name__)

TOKEN_FILE = "token"  # noqa: S105 - a file name
INFO_FILE = "emulator.json"
FORMAT = 1


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
    os.replace(temporary, path)


def make_machines(settings: ServerSettings) -> MachineHost:
    if settings.machines == "none":
        return NoMachines()
    if settings.machines == "nspawn":
        from ..nspawn.machines import NspawnMachines

        shutil.rmtree(settings.machines_dir, ignore_errors=True)
        return NspawnMachines(settings.state_dir, settings.root_layer)
    # Imported here: it needs /proc and terminals, so Linux.
    from ..guest import processes
    from ..guest.process_machines import ProcessMachines

    if settings.machines_dir.exists():  # of an emulator that was killed
        left = frozenset(entry.name for entry in settings.machines_dir.iterdir())
        processes.kill_machines(left)
        shutil.rmtree(settings.machines_dir, ignore_errors=True)
    return ProcessMachines(settings.state_dir)


class Server:
    """One emulator from its first to its last moment.

    watched: the process with which it ends, if any; report: the file descriptor on which to say
    that it listens, -1 if nobody waits for that.
    """

    def __init__(self, settings: ServerSettings, watched: Watched | None, report: int) -> None:
        self._settings = settings
        self._watched = watched
        self._report = report
        self._stop = asyncio.Event()
        self._em = Emulator(settings, make_machines(settings), Router())
        self._front = Front(self._em, self._stop.set)
        self._metadata = MetadataServer(self._em)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGTERM)):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, self._stop.set)
        runner = web.AppRunner(
            self._front.application(), access_log=None, handle_signals=False, shutdown_timeout=1.0
        )
        await runner.setup()
        listener = self._listener()
        endpoint = f"https://127.0.0.1:{listener.getsockname()[1]}"
        self._tls_context = self._tls()
        server = await connections.listen(runner, sock=listener, ssl=self._tls_context, backlog=512)
        await self._metadata.start()
        port = listener.getsockname()[1]
        namespace = await self._em.machines.open(partial(self._listen_in, runner, port))
        self._announce(endpoint, namespace)
        if self._report >= 0:
            os.write(self._report, b"1")
            os.close(self._report)
        log.info("listening on %s", endpoint)
        try:
            await self._until_stopped()
        finally:
            with contextlib.suppress(FileNotFoundError):
                (self._settings.state_dir / INFO_FILE).unlink()
            server.close()
            await runner.cleanup()
            await self._metadata.stop()
            await self._em.operations.cancel_all()
            await self._em.machines.close()
            log.info("ended")

    def _listener(self) -> socket.socket:
        """Return the socket to which clients connect; raises SystemExit if it can't be had."""
        port = self._settings.port
        try:
            return socket.create_server(("127.0.0.1", port), backlog=512)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            print(f"port {port} of 127.0.0.1 can't be had: {reason}", file=sys.stderr, flush=True)
            raise SystemExit(NOT_LISTENING) from None

    async def _listen_in(self, runner: web.AppRunner, port: int, namespace: str) -> asyncio.Server:
        """Be the same endpoint in a network namespace of a user's computer, or of a machine."""
        from ..nspawn import namespaces

        listener = namespaces.listener(namespace, "127.0.0.1", port)
        return await connections.listen(runner, sock=listener, ssl=self._tls_context, backlog=512)

    def _tls(self) -> ssl.SSLContext:
        """Return the server's side of TLS, and write ca.pem, which clients trust.

        Its authority lives in this process alone.
        """
        authority = trustme.CA(organization_name="ipcluster-azure emulator")
        write_private(self._settings.state_dir / "ca.pem", authority.cert_pem.bytes())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        return context

    def _announce(self, endpoint: str, namespace: str) -> None:
        """Write the files by which clients find this; emulator.json is the last of them."""
        directory = self._settings.state_dir
        # az's settings of an earlier emulator name its port and its subscription.
        shutil.rmtree(directory / CONFIG_DIR, ignore_errors=True)
        write_private(directory / TOKEN_FILE, self._em.permissions.own_token.encode())
        info: dict[str, Any] = {
            "format": FORMAT,
            "endpoint": endpoint,
            "ca_file": str(directory / "ca.pem"),
            "token_file": str(directory / TOKEN_FILE),
            "subscription_id": self._em.store.subscription_id,
            "state_dir": str(directory),
            "pid": os.getpid(),
            "machines": self._settings.machines,
            "network_namespace": namespace,
            "time_scale": self._settings.time_scale,
        }
        write_private(directory / INFO_FILE, json.dumps(info, indent=1).encode())

    async def _until_stopped(self) -> None:
        """Return when the emulator is to end: by request, or for one of three other reasons.

        They are: the process that it was to end with has ended; no resource group is left and
        idle_timeout_s have passed since the last request; emulator.json is gone, so that nobody
        could find, use or stop this process any more.
        """
        announced = self._settings.state_dir / INFO_FILE
        limit_s = self._settings.idle_timeout_s
        while not self._stop.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stop.wait(), min(1.0, max(0.05, limit_s / 10)))
            if self._watched and self._watched.has_ended():
                log.info("process %d has ended", self._watched.pid)
                return
            if not announced.exists():
                log.warning("%s is gone", announced)
                return
            if self._em.store.groups():
                self._front.last_request = time.monotonic()
            elif time.monotonic() - self._front.last_request > limit_s:
                log.info("idle for %g s", limit_s)
                return
