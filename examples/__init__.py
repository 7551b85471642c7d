"""Worked examples; each runs on any ipyparallel cluster."""
