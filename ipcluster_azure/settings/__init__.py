"""Traits and command line -> frozen, checked values. Pure."""
