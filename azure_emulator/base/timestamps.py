"""Moments as Azure writes them: to a tenth of a microsecond, in one of two forms of UTC."""

from __future__ import annotations

from datetime import datetime


def compute_timestamp(moment: datetime) -> str:
    """The form of Compute and of long-running operations: 2026-01-31T12:00:00.1234560+00:00."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0+00:00"


def arm_timestamp(moment: datetime) -> str:
    """The form of ARM's own resources, deployments among them: 2026-01-31T12:00:00.1234560Z."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z"
