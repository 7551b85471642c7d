"""Carries a deployment out: each resource by its provider, as soon as what it needs is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from . import errors
from .arm import ArmRequest, ArmResponse
from .deployment_cleanup import clean_up
from .deployment_record import Deployment, Json, Step
from .deployment_views import error_of
from .internal_requests import send
from .errors import ArmError
from .state import Emulator
from .store import Group
from .templates.evaluation import Evaluator
from .templates.expand import Planned
from .templates.expressions import ExpressionError
from .templates.signatures import checked

log = logging.getLogger(__name__)
FAILED = (
    "At least one resource deployment operation failed. Please list deployment operations for "
    "details. Please see https://aka.ms/DeployOperations for usage details."
)


class Run:
    def __init__(
        self, em: Emulator, request: ArmRequest, group: Group, deployment: Deployment
    ) -> None:
        self._em = em
        self._request = request
        self._group = group
        self._deployment = deployment
        self._tasks: dict[Planned, asyncio.Task[bool]] = {}
        self._details: list[Json] = []

    async def finish(self) -> None:
        """To the deployment's end; what it raises is the failure of its operation."""
        deployment = self._deployment
        work = asyncio.ensure_future(self._work())
        stop = asyncio.ensure_future(deployment.stop.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            canceled = not work.done()
        finally:
            stop.cancel()
            work.cancel()  # and with it what it waits for; providers go on with what they began
        if canceled:
            await asyncio.gather(work, return_exceptions=True)
            self._end_as_canceled()
            raise ArmError(409, "DeploymentCanceled", "The deployment was canceled.")
        try:
            work.result()
        except ArmError as error:
            deployment.error = error.body()["error"]
            deployment.become("Failed")
            raise
        deployment.become("Succeeded")

    def _end_as_canceled(self) -> None:
        for step in self._deployment.steps:
            if step.state == "Running":
                step.end("Canceled", step.status_code)

    async def _work(self) -> None:
        deployment, plan = self._deployment, self._deployment.plan
        deployment.become("Running")
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
        """Whether it is there; without what it depends on it is not even tried."""
        for other in planned.after:
            if not await self._tasks[other]:
                return False
        if self._group.deleting:
            self._deployment.become("Canceled")
            self._deployment.stop.set()
            return False
        return not await self._step("Create", planned, lambda step: self._put(planned, step))

    async def _step(
        self, kind: str, planned: Planned | None, act: Callable[[Step], Awaitable[None]]
    ) -> ArmError | None:
        """Record what `act` does; its failure becomes a detail of the deployment's."""
        em = self._em
        final = kind == "EvaluateDeploymentOutput" and self._deployment.operation
        step = Step(
            id=final.id if final else em.new_hex(16).upper(),
            kind=kind,
            tracking_id=em.new_uuid(),
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
            step.end("Succeeded", step.status_code)
            return None
        body = failure.body()
        step.end("Failed", _name(failure.status), {"status": "Failed", **body})
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
        body = planned.body(self._evaluator(planned.evaluator))
        found = await self._sent("PUT", planned.id, planned.api_version, body)
        step.status_code = _name(found.status)
        step.service_request_id = self._em.new_uuid()
        await self._ended(found, step)

    async def _sent(self, method: str, path: str, version: str, body: Json | None) -> ArmResponse:
        answer = send(self._em, self._request, method, path, version, body)
        return answer if isinstance(answer, ArmResponse) else await answer

    async def _ended(self, answer: ArmResponse, step: Step) -> None:
        """Wait for what the answer only announces."""
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

    def _evaluator(self, evaluator: Evaluator) -> Evaluator:
        """With a reference() that looks at the resource."""

        def reference(name: str, version: str | None = None, full: str | None = None) -> Any:
            target = self._deployment.plan.directory.reference(name, version is not None)
            identifier = target.id if target else name
            known = target.api_version if target else ""
            answer = send(self._em, self._request, "GET", identifier, version or known, None)
            if not isinstance(answer, ArmResponse) or not isinstance(answer.body, dict):
                raise ExpressionError(f"The resource '{identifier}' cannot be referenced")
            if full is None:
                return answer.body.get("properties") or {}
            return _full(identifier, version or known, answer.body)

        kinds = ("string", "string?", "string?")
        return evaluator.also({"reference": checked("reference", kinds, reference)})

    async def _clean_up(self, step: Step) -> None:
        keep = [planned.key for planned in self._deployment.plan.deployed]

        async def delete(identifier: str) -> None:
            await self._ended(await self._sent("DELETE", identifier, "2021-04-01", None), step)

        await clean_up(self._em, self._group, keep, delete)

    async def _evaluate_outputs(self, step: Step) -> None:
        plan = self._deployment.plan
        self._deployment.outputs = plan.outputs.values(self._evaluator(plan.evaluator))


def _full(identifier: str, version: str, body: Json) -> Json:
    shown = {key: body[key] for key in body if key not in ("id", "name", "type", "etag")}
    parts = identifier.split("/")
    return shown | {
        "apiVersion": version,
        "subscriptionId": parts[2],
        "resourceGroupName": parts[4],
        "scope": "",
        "resourceId": identifier.split("/providers/", 1)[-1],
        "referenceApiVersion": version,
        "condition": True,
        "isConditionTrue": True,
        "isTemplateResource": False,
        "isAction": False,
        "provisioningOperation": "Read",
    }


def _name(status: int) -> str:
    """404 -> NotFound"""
    return HTTPStatus(status).phrase.replace(" ", "").replace("-", "")
