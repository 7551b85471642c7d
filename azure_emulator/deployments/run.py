"""Carries a deployment out: each resource by its provider, as soon as what it needs is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from ..base import errors
from ..base.errors import ArmError
from ..base.messages import ArmRequest, ArmResponse
from ..base.store import Group
from ..state import Emulator
from ..templates.expand import Planned
from ..templates.expressions import ExpressionError
from .cleanup import clean_up
from .internal_requests import send
from .lookups import Lookups
from .record import Deployment, Json, Step
from .views import error_of

log = logging.getLogger(__name__)
FAILED = (
    "At least one resource deployment operation failed. Please list deployment operations for "
    "details. Please see https://aka.ms/DeployOperations for usage details."
)


def canceled() -> ArmError:
    return ArmError(409, "DeploymentCanceled", "The deployment was canceled.")


class Run:
    def __init__(
        self, em: Emulator, request: ArmRequest, group: Group, deployment: Deployment
    ) -> None:
        self._em = em
        self._request = request
        self._group = group
        self._deployment = deployment
        self._lookups = Lookups(em, request, deployment.plan)
        self._tasks: dict[Planned, asyncio.Task[bool]] = {}
        self._details: list[Json] = []

    async def finish(self) -> None:
        """Carry the deployment out to its end; what this raises is the failure of its operation."""
        deployment = self._deployment
        if deployment.stop.is_set():
            raise canceled()
        work = asyncio.ensure_future(self._work())
        stop = asyncio.ensure_future(deployment.stop.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            work.cancel()  # and with it what it waits for; providers go on with what they began
        if deployment.stop.is_set():
            await asyncio.gather(work, return_exceptions=True)
            self._end_as_canceled()
            raise canceled()
        try:
            work.result()
        except ArmError as error:
            deployment.error = error.body()["error"]
            deployment.become("Failed", self._em.clock.now())
            raise
        deployment.become("Succeeded", self._em.clock.now())

    def _end_as_canceled(self) -> None:
        for step in self._deployment.steps:
            if step.state == "Running":
                step.end("Canceled", step.status_code, self._em.clock.now())

    async def _work(self) -> None:
        deployment, plan = self._deployment, self._deployment.plan
        deployment.become("Running", self._em.clock.now())
        plan.budget.renew()
        for planned in plan.deployed:
            self._tasks[planned] = asyncio.ensure_future(self._resource(planned))
        await asyncio.gather(*self._tasks.values())
        if self._details:
            raise ArmError(400, "DeploymentFailed", FAILED, details=self._details)
        if deployment.mode == "Complete":
            await self._step("DeploymentCleanup", None, self._clean_up)
        failure = await self._step("EvaluateDeploymentOutput", None, self._evaluate_outputs)
        if failure:
            raise failure
        if self._details:
            raise ArmError(400, "DeploymentFailed", FAILED, details=self._details)

    async def _resource(self, planned: Planned) -> bool:
        """Make one resource after those it depends on, and return whether it is there.

        If one of those is not, it is not even tried.
        """
        for other in planned.after:
            if not await self._tasks[other]:
                return False
        if self._group.deleting:
            self._deployment.become("Canceled", self._em.clock.now())
            self._deployment.stop.set()
            return False
        return not await self._step("Create", planned, lambda step: self._put(planned, step))

    async def _step(
        self, kind: str, planned: Planned | None, act: Callable[[Step], Awaitable[None]]
    ) -> ArmError | None:
        """Record what `act` does as a step; its failure becomes a detail of the deployment's."""
        em = self._em
        final = kind == "EvaluateDeploymentOutput" and self._deployment.operation
        step = Step(
            id=final.id if final else em.new_hex(16).upper(),
            kind=kind,
            tracking_id=em.new_uuid(),
            started=em.clock.now(),
            changed=em.clock.now(),
            target=planned,
            service_request_id=em.new_uuid() if planned else "",
        )
        self._deployment.steps.insert(0, step)
        try:
            await act(step)
        except ArmError as error:
            failure = error
        except ExpressionError as error:
            failure = self._unprocessable(planned, error)
        except Exception as exception:
            log.exception("step %s of deployment %s failed", kind, self._deployment.id)
            failure = errors.internal(exception)
        else:
            step.end("Succeeded", step.status_code, em.clock.now())
            return None
        body = failure.body()
        message = {"status": "Failed", **body}
        step.end("Failed", _name(failure.status), em.clock.now(), message)
        self._details.append(error_of(body["error"]))
        return failure

    def _unprocessable(self, planned: Planned | None, error: ExpressionError) -> ArmError:
        places = self._deployment.plan.places
        what = f"resource '{planned.id}' {places.at(planned.path)}" if planned else "deployment"
        return ArmError(
            400,
            "InvalidTemplate",
            f"Unable to process template language expressions for {what}. '{error}'",
        )

    async def _put(self, planned: Planned, step: Step) -> None:
        body = await self._lookups.known(planned.evaluator, planned.body)
        found = await send(self._em, self._request, "PUT", planned.id, planned.api_version, body)
        step.status_code = _name(found.status)
        step.service_request_id = self._em.new_uuid()
        await self._ended(found, step)

    async def _ended(self, answer: ArmResponse, step: Step) -> None:
        """Wait for the end of an operation that an answer announces."""
        properties = answer.body.get("properties") if isinstance(answer.body, dict) else None
        state = properties.get("provisioningState") if isinstance(properties, dict) else None
        url = answer.headers.get("Azure-AsyncOperation")
        if state == "Succeeded" or url is None:
            return
        operation = self._em.operations.find(url.partition("?")[0].rsplit("/", 1)[1])
        if operation is not None:
            await operation.done.wait()
            if operation.error is not None:
                raise operation.error
            step.status_code = "OK"

    async def _clean_up(self, step: Step) -> None:
        em = self._em
        keep = [planned.key for planned in self._deployment.plan.deployed]

        async def delete(identifier: str) -> None:
            answer = await send(em, self._request, "DELETE", identifier, "2021-04-01", None)
            await self._ended(answer, step)

        await clean_up(em, self._group, keep, delete)

    async def _evaluate_outputs(self, step: Step) -> None:
        plan = self._deployment.plan
        self._deployment.outputs = await self._lookups.known(plan.evaluator, plan.outputs.values)


def _name(status: int) -> str:
    """Return an HTTP status as Azure names it: 404 -> NotFound."""
    return HTTPStatus(status).phrase.replace(" ", "").replace("-", "")
