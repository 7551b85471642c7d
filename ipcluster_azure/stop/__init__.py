"""Recorded ids -> nothing left."""
