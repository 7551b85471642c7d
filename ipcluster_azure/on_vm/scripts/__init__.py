"""Run on the machines by any Python from 3.8 on, with its standard library alone."""
