"""Looks over all clusters: found, examined, reaped."""
