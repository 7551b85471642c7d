"""The five tests that ipyparallel shares between its launchers."""

from ipyparallel.tests.test_cluster import (  # noqa: F401
    test_get_output,
    test_restart_engines,
    test_signal_engines,
    test_start_stop_cluster,
    test_to_from_dict,
)
