"""Azure's instance metadata service, which each machine has for itself. Linux, standard library.

https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

Json = dict[str, Any]

ANSWER_S = 5.0
INSTANCE = "instance/compute?api-version=2021-02-01"
NETWORK = "instance/network?api-version=2021-02-01"
CREATED_TAG = "ipcluster-azure-created"


class Answer(NamedTuple):
    """What the service answers, and when: in seconds since 1970 by Azure's clock, which is its
    Date. None if it does not say."""

    content: Json
    date_s: float | None


def metadata(path: str, body: Json | None = None, *, timeout_s: float = ANSWER_S) -> Answer:
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
        answer, date = reply.read(), reply.headers.get("Date")
    return Answer(json.loads(answer) if answer else {}, seconds_of(date))


def seconds_of(date: str | None) -> float | None:
    """Return an HTTP date in seconds since 1970; None if it is none."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def created_s(instance: Json) -> float | None:
    """When the cluster of this machine was created, by its tag: in seconds since 1970.

    `instance` is what INSTANCE gives. None if the tag is missing or no time.
    """
    for tag in instance.get("tagsList", ()):
        if tag["name"].lower() == CREATED_TAG:
            try:
                return datetime.fromisoformat(tag["value"]).timestamp()
            except ValueError:
                return None
    return None
