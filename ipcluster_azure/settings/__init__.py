"""Traits and command line -> frozen, checked values. Pure.

values.py has all settings; CONTRIBUTING.md says how one is added.
"""
