"""Which api-versions of Microsoft.Compute show which members."""

from __future__ import annotations

from collections.abc import Mapping

from .version_windows import Table

TABLES: Mapping[str, Table] = {}
