"""How to ask a running emulator: its address, and one request. Standard library only."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class EmulatorError(Exception):
    """Raised if the emulator does not start, stop or answer."""


class NoAnswerInTime(EmulatorError, TimeoutError):
    """Raised if something took the connection, but no answer came."""


@dataclass(frozen=True)
class EmulatorInfo:
    """Where a running emulator is: endpoint (https://127.0.0.1:PORT), and the files to use it.

    network_namespace: in which machines can be reached; empty if they can be from everywhere here.
    """

    endpoint: str
    ca_file: str
    token_file: str
    subscription_id: str
    state_dir: str
    pid: int
    network_namespace: str = ""


def ask(
    info: EmulatorInfo,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    timeout_s: float = 30.0,
) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=info.ca_file)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    token = Path(info.token_file).read_text(encoding="ascii").strip()
    request = urllib.request.Request(  # noqa: S310 - https only, see EmulatorInfo
        info.endpoint + path,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            values = json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode("utf-8", "replace")[:500]
        raise EmulatorError(f"{method} {path}: status {error.code}: {text}") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        kind = NoAnswerInTime if isinstance(reason, TimeoutError) else EmulatorError
        raise kind(f"no answer from the emulator at {info.endpoint}: {reason}") from None
    return dict(values)
