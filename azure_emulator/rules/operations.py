"""Long-running operations: started by a request, finished by the clock, never by being polled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..base import errors
from ..base.clock import Clock
from ..base.messages import ArmRequest
from ..base.timestamps import compute_timestamp
from .interference import Finish as Finish
from .interference import Interference, planned

log = logging.getLogger(__name__)

# What it returns is the operation's result, if it has one.
Work = Callable[[], Awaitable["dict[str, Any] | None"]]
SETTLE_S = 2.0
KEPT = 20_000  # finished operations that can still be asked for


@dataclass
class Operation:
    """One operation, and what GET on its URL shows.

    monitor_status: what its Location answers at the end; paced: its first answer said when to ask,
    so the first poll does, too; collection: the part of the URL before its id; result: shown as
    properties.output, and as the whole answer of its Location.
    """

    id: str
    namespace: str
    location: str
    started: datetime
    monitor_status: int = 200
    collection: str = "operations"
    paced: bool = False
    result: dict[str, Any] | None = None
    ended: datetime | None = None
    error: errors.ArmError | None = None
    polls: int = 0
    settles: bool = True
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> str:
        if self.ended is None:
            return "InProgress"
        return "Succeeded" if self.error is None else "Failed"

    def body(self) -> dict[str, Any]:
        """Return the status document; Network's has no times, Compute's does (as recorded)."""
        if self.namespace == "Microsoft.Network":
            body: dict[str, Any] = {"status": self.status}
        else:
            body = {"startTime": compute_timestamp(self.started)}
            if self.ended is not None:
                body["endTime"] = compute_timestamp(self.ended)
            body["status"] = self.status
            if self.result is not None:
                body["properties"] = {"output": self.result}
            body["name"] = self.id
        if self.error is not None:
            body["error"] = self.error.body()["error"]
        return body


class Operations:
    """All operations of one emulator, and the tasks that drive them."""

    def __init__(self, clock: Clock, new_id: Callable[[], str], on_end: Callable[[], None]) -> None:
        """on_end is called after each operation, when what it changed takes effect."""
        self._clock = clock
        self._on_end = on_end
        self._new_id = new_id
        self._operations: dict[str, Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self,
        namespace: str,
        location: str,
        duration_s: float,
        finish: Work,
        *,
        monitor_status: int = 200,
        identifier: str | None = None,
        collection: str = "operations",
    ) -> Operation:
        """Start an operation that calls finish() after duration_s.

        What that raises is its failure.
        """
        identifier, now = identifier or self._new_id(), self._clock.now()
        operation = Operation(identifier, namespace, location, now, monitor_status, collection)
        self._operations[operation.id] = operation
        if len(self._operations) > KEPT:
            self._operations.pop(next(iter(self._operations)))
        fault = planned.get()
        if fault:
            planned.set(None)
            operation.settles = False

        async def work() -> None:
            operation.result = await finish()

        self.spawn(self._drive(operation, duration_s, work, fault))
        return operation

    def spawn(self, work: Any) -> asyncio.Task[None]:
        """Run a task, keeping a reference to it: the event loop holds only a weak one."""
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _drive(
        self, operation: Operation, duration_s: float, finish: Finish, fault: Interference | None
    ) -> None:
        try:
            if fault:
                await fault.run(self._clock, duration_s, finish)
            else:
                await self._clock.sleep(duration_s)
                await finish()
        except errors.ArmError as error:
            operation.error = error.with_traceback(None)  # it would hold all that it passed
        except Exception as exception:
            log.exception("operation %s failed", operation.id)
            operation.error = errors.internal(exception)
        self._on_end()
        operation.ended = self._clock.now()
        operation.done.set()

    async def settle(self, operation: Operation) -> None:
        """Wait a moment for an operation that is about to end, at time scale 0.

        "Just after the response" includes the little real work there is; otherwise a client that
        asks at once would wait for the second that Retry-After says.
        """
        if self._clock.immediate and operation.settles:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(operation.done.wait(), SETTLE_S)

    def find(self, identifier: str) -> Operation | None:
        return self._operations.get(identifier.lower())

    async def cancel_all(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def retry_after(self, seconds: int) -> str:
        """Return Azure's wait, scaled as all else, at least the one second a header can say."""
        return str(max(1, round(seconds * min(1.0, self._clock.client_scale))))

    def headers(
        self,
        request: ArmRequest,
        operation: Operation,
        *,
        retry_after_s: int | None,
        location: bool = False,
        notification: bool = True,
    ) -> dict[str, str]:
        base = (
            f"{request.base_url}/subscriptions/{request.params['subscription']}/providers/"
            f"{operation.namespace}/locations/{operation.location}"
        )
        version = f"api-version={request.api_version}"
        url = f"{base}/{operation.collection}/{operation.id}?{version}"
        headers = {"Azure-AsyncOperation": url}
        if notification:
            headers["Azure-AsyncNotification"] = "Enabled"
        if retry_after_s is not None:
            headers["Retry-After"] = self.retry_after(retry_after_s)
        if location:
            headers["Location"] = (
                f"{base}/operationResults/{operation.id}?{version}"
                if operation.namespace == "Microsoft.Network"
                else f"{base}/{operation.collection}/{operation.id}?monitor=true&{version}"
            )
        return headers
