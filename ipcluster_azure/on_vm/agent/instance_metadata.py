"""Azure's instance metadata service, which each machine has for itself. Linux, standard library.

https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
"""

from __future__ import annotations

import json
import os
from typing import Any

Json = dict[str, Any]

ANSWER_S = 5.0


def metadata(path: str, body: Json | None = None, *, timeout_s: float = ANSWER_S) -> Json:
    """Return the service's answer to a GET, or to a POST if there is a body.

    Raises OSError or ValueError if there is none, or one that is not JSON.
    """
    import urllib.request  # 50 ms, which engines that start can use better

    # the emulator's machines are told another: no loopback address can be this one
    service = os.environ.get("IPCLUSTER_AZURE_IMDS", "http://169.254.169.254")
    request = urllib.request.Request(  # noqa: S310
        f"{service}/metadata/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Metadata": "true"},
    )
    # it refuses what came through a proxy
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=timeout_s) as reply:
        answer = reply.read()
    return json.loads(answer) if answer else {}
