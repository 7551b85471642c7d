"""What `make test` leaves to `make kills` and `make complete`, so that it ends in time."""

import os

import pytest

COMPLETE = bool(os.environ.get("IPCLUSTER_AZURE_TEST_COMPLETE"))
long_series = pytest.mark.skipif(not COMPLETE, reason="a long series, run by `make kills`")
variant = pytest.mark.skipif(not COMPLETE, reason="much like another, run by `make complete`")
