"""Jupyter's server as a browser uses it: its HTTP interface, its kernels, and a real browser."""

import asyncio
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

TIMEOUT_S = 90
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium isn't installed")


@dataclass(frozen=True)
class Jupyter:
    """A server, by the link that opens it."""

    link: str

    @property
    def port(self) -> int:
        return urlsplit(self.link).port or 0

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.link).query)["token"][0]

    def ask(self, method: str, path: str, *, token: str | None = None, **body: Any) -> Any:
        """Return the answer, which `requests` has made."""
        return requests.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            json=body or None,
            headers={"Authorization": f"token {self.token if token is None else token}"},
            timeout=TIMEOUT_S,
        )

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.ok, answer.text
        return answer.json()

    def run(self, code: str) -> str:
        """What a cell prints in a kernel of its own; an exception in it fails the test."""
        kernel = self.ask("POST", "/api/kernels").json()["id"]
        try:
            printed, failed = asyncio.run(self._execute(kernel, code))
        finally:
            self.ask("DELETE", f"/api/kernels/{kernel}")
        assert not failed, printed
        return printed

    async def _execute(self, kernel: str, code: str) -> tuple[str, bool]:
        address = f"ws://127.0.0.1:{self.port}/api/kernels/{kernel}/channels"
        headers = {"Authorization": f"token {self.token}"}
        line = await websocket_connect(
            # the server answers once the kernel does
            HTTPRequest(
                address, headers=headers, connect_timeout=TIMEOUT_S, request_timeout=TIMEOUT_S
            )
        )
        try:
            return await asyncio.wait_for(_conversation(line, code), TIMEOUT_S)
        finally:
            line.close()


async def _conversation(line: Any, code: str) -> tuple[str, bool]:
    """Return what the cell printed, and whether it failed.

    The reply and the end of the output come on channels of their own, in any order.
    """
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "test"}
    header |= {"username": "", "version": "5.4", "date": "2026-01-01T00:00:00Z"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    message = {"channel": "shell", "header": header, "content": content}
    message |= {"parent_header": {}, "metadata": {}, "buffers": []}
    await line.write_message(json.dumps(message))
    printed, status, idle = "", "", False
    while not (status and idle):
        text = await line.read_message()
        assert text is not None, "the connection to the kernel was closed"
        reply = json.loads(text)
        if reply["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        kind, content = reply["msg_type"], reply["content"]
        if kind == "stream":
            printed += content["text"]
        elif kind == "error":
            printed += "\n".join(content["traceback"])
        elif kind == "execute_reply":
            status = content["status"]
        elif kind == "status":
            idle = idle or content["execution_state"] == "idle"
    return printed, status != "ok"


@contextmanager
def browsing() -> Iterator[Any]:
    """A page of a browser without a window. No coroutine may be run meanwhile: playwright does."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # root has no sandbox, and containers have a small /dev/shm
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        try:
            page = browser.new_page(viewport={"width": 1300, "height": 800})
            page.set_default_timeout(TIMEOUT_S * 1000)
            yield page
        finally:
            browser.close()
