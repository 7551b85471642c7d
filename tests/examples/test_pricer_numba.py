"""The compiled loops; skipped where numba is not installed."""

import subprocess
import sys

import numpy as np
import pytest
from ipcluster_azure.examples.monte_carlo_options.block import METHODS
from ipcluster_azure.examples.monte_carlo_options.model import PAYOFFS, Model
from ipcluster_azure.examples.monte_carlo_options.surface import price_surface


@pytest.mark.parametrize("method", METHODS)
def test_the_same_paths_as_numpy_s_to_float32(method):
    pytest.importorskip("numba")
    arguments = (Model(n_fixings=60), [90, 110], [0.1, 0.4], 20_000)
    one = price_surface(*arguments, method=method)
    other = price_surface(*arguments, method=method, kernel="numba")
    for payoff in PAYOFFS:
        np.testing.assert_allclose(other.prices[payoff], one.prices[payoff], atol=1e-5)
    assert one.arithmetic != other.arithmetic


def test_without_numba_the_command_says_what_to_install():
    """None in sys.modules is what an import of a missing module finds."""
    code = (
        "import sys; sys.modules['numba'] = None;"
        "from ipcluster_azure.examples.monte_carlo_options.__main__ import main;"
        "sys.exit(main(['--serial', '--kernel', 'numba', '--paths', '1e4']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "pip install 'ipcluster-azure[numba]'" in done.stderr
    assert "Traceback" not in done.stderr
