"""The cluster deletes itself: the controller's machine asks the Resource Manager to, with the
managed identity that it was given. Linux, standard library.

Shutting the machine down would not do: a machine that its guest has shut down is still billed.
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from .instance_metadata import Json, metadata
from .work_dir import say

ANSWER_S = 30.0
ATTEMPT_S = 90.0  # for a token and an answer, whoever sends them a byte at a time
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0
GONE_S = 600.0  # that one resource may take to go, until the next is tried
TOKEN_SPARE_S = 300.0
TOKEN_VERSION = "2018-02-01"  # noqa: S105


class Deletion:
    """Deletes what `settings` name.

    They are `resource_manager`, its URL; `audience` of the token; `ca_pem`, the authorities to
    trust (empty: the system's); and `delete`, URLs below resource_manager, with api-version, in
    order.
    """

    def __init__(self, settings: Json) -> None:
        self._settings = settings
        context = ssl.create_default_context(cadata=settings["ca_pem"] or None)
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
        self._token, self._fresh_until = "", 0.0

    def run(self) -> None:
        """Delete until all is gone, whatever it takes; usually it ends with this machine."""
        remaining = list(self._settings["delete"])
        pause_s = FIRST_PAUSE_S
        while remaining:
            before = len(remaining)
            for url in list(remaining):
                if self._delete(url):
                    remaining.remove(url)
            pause_s = (
                FIRST_PAUSE_S if len(remaining) < before else min(2 * pause_s, LONGEST_PAUSE_S)
            )
            time.sleep(pause_s if remaining else 0)
        say("all that belonged to the cluster is deleted")

    def _delete(self, url: str) -> bool:
        """Delete one resource; returns True once it is gone.

        False if it can't go now: what uses it comes later in the list, or somebody forbids it.
        """
        deadline = time.monotonic() + GONE_S
        while time.monotonic() < deadline:
            try:
                status, wait_s = self._in_time(url)
            except (OSError, ValueError, KeyError) as error:
                say(f"{url}: {error}")
                return False
            say(f"DELETE {url}: {status}")
            if status in (204, 404):
                return True
            if status == 401:
                self._token = ""
            elif status >= 400 and status not in (408, 429) and status < 500:
                return False
            time.sleep(wait_s)
        return False

    def _in_time(self, url: str) -> tuple[int, float]:
        """Return what `_request` does; raises OSError, too, when it takes longer than ATTEMPT_S:
        ANSWER_S is but for the time between two bytes, and not for finding a name's address."""
        outcome: list[tuple[int, float] | Exception] = []

        def attempt() -> None:
            try:
                outcome.append(self._request("DELETE", url))
            except Exception as error:
                outcome.append(error)

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(ATTEMPT_S)
        if not outcome:
            raise OSError(f"no answer within {ATTEMPT_S:.0f} s")
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def _request(self, method: str, url: str) -> tuple[int, float]:
        """Send a request; returns the answer's status, and the seconds to wait before the next one.

        Raises OSError and the like when there is no answer, or no token.
        """
        address = f"{self._settings['resource_manager'].rstrip('/')}/{url.lstrip('/')}"
        headers = {"Authorization": f"Bearer {self._fresh_token()}"}
        request = urllib.request.Request(address, method=method, headers=headers)  # noqa: S310
        try:
            with self._opener.open(request, timeout=ANSWER_S) as reply:
                status, given = reply.status, reply.headers.get("Retry-After")
        except urllib.error.HTTPError as refusal:
            status, given = refusal.code, refusal.headers.get("Retry-After")
            say(refusal.read(2000).decode(errors="replace"))
        wait_s = FIRST_PAUSE_S
        with contextlib.suppress(TypeError, ValueError):
            wait_s = max(wait_s, float(given))
        return status, min(wait_s, LONGEST_PAUSE_S)

    def _fresh_token(self) -> str:
        if time.monotonic() > self._fresh_until or not self._token:
            query = {"api-version": TOKEN_VERSION, "resource": self._settings["audience"]}
            answer, date_s = metadata(
                f"identity/oauth2/token?{urllib.parse.urlencode(query)}", timeout_s=ANSWER_S
            )
            self._token = answer["access_token"]
            left_s = float(answer["expires_on"]) - (time.time() if date_s is None else date_s)
            self._fresh_until = time.monotonic() + left_s - TOKEN_SPARE_S
        return self._token
