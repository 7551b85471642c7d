"""Offers what machines install to the others of their network. Run by any Python from 3.8 on, with
its standard library alone."""
