"""The steps of a start, in order. Read deployment.py first."""
