"""Refusals of requests on deployments; those of the template itself are templates/errors.py."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from ..base.errors import GATEWAY, ArmError
from ..templates.errors import TemplateError
from .record import Deployment

NAME = re.compile(r"[-\w.()]+")


def checked_name(name: str) -> str:
    if len(name) > 64:
        raise ArmError(
            400,
            "InvalidDeploymentName",
            f"The provided deployment name '{name}' has a length of '{len(name)}' which exceeds "
            "the maximum length of '64'.",
            headers=GATEWAY,
        )
    if not NAME.fullmatch(name):
        wrong = "".join(sorted({letter for letter in name if not NAME.fullmatch(letter)}))
        raise ArmError(
            400,
            "InvalidDeploymentName",
            f"The provided deployment name '{name}' has these invalid characters: '{wrong}'. The "
            "name can only be a letter, digit, '-', '.', '(', ')' or '_'.",
            headers=GATEWAY,
        )
    return name


def active(deployment: Deployment) -> ArmError:
    expires = deployment.started + timedelta(days=7)
    return ArmError(
        409,
        "DeploymentActive",
        f"The deployment with resource id '{deployment.id}' cannot be saved, because this would "
        "overwrite an existing deployment which is still active. If this is an intentional "
        "re-deployment, please wait for the original deployment to complete, or cancel it before "
        "re-attempting the operation. The previous deployment was started at "
        f"'{deployment.started:%m/%d/%Y %H:%M:%S}' with correlationId "
        f"'{deployment.correlation_id}', and will expire at '{expires:%m/%d/%Y %H:%M:%S}' if it "
        "does not complete before then. Please see https://aka.ms/arm-deploy-resources for usage "
        "details.",
        headers=GATEWAY,
    )


def not_found(name: str) -> ArmError:
    message = f"Deployment '{name}' could not be found."
    return ArmError(404, "DeploymentNotFound", message, headers=GATEWAY)


def operation_not_found(name: str) -> ArmError:
    message = f"The deployment operation '{name}' could not be found."
    return ArmError(404, "DeploymentOperationNotFound", message, headers=GATEWAY)


def not_cancellable(deployment: Deployment) -> ArmError:
    return ArmError(
        409,
        "DeploymentCannotBeCancelled",
        f"The deployment '{deployment.name}' cannot be cancelled, because it is in the terminal "
        f"state '{deployment.state}'.",
        headers=GATEWAY,
    )


def not_valid(name: str, tracking_id: str, details: list[dict[str, Any]]) -> ArmError:
    return ArmError(
        400,
        "InvalidTemplateDeployment",
        f"The template deployment '{name}' is not valid according to the validation procedure. "
        f"The tracking id is '{tracking_id}'. See inner errors for details.",
        details=details,
        headers=GATEWAY,
    )


def violates_policies(details: list[dict[str, Any]]) -> ArmError:
    return ArmError(
        400,
        "InvalidTemplateDeployment",
        "The template deployment failed because of policy violation. Please see details for more "
        "information.",
        details=details,
        headers=GATEWAY,
    )


def unauthorized(object_id: str, missing: list[tuple[str, str, str, str]]) -> ArmError:
    """Refuse a deployment whose sender may not make what is in it.

    missing: (name, type, action, scope) of each such resource.
    """
    several = "; ".join(
        f"Authorization failed for template resource '{name}' of type '{kind}'. The client "
        f"'{object_id}' with object id '{object_id}' does not have permission to perform action "
        f"'{action}' at scope '{scope}'."
        for name, kind, action, scope in missing
    )
    message = f"Deployment failed with multiple errors: '{several}'"
    return ArmError(403, "InvalidTemplateDeployment", message, headers=GATEWAY)


def too_deep() -> ArmError:
    return TemplateError("Deployment template validation failed: 'It is nested too deeply.'.")
