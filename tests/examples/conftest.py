import numpy as np
import pytest


@pytest.fixture
def another_processor():
    """Variables of a process that computes as on a lesser processor, with other last bits."""
    extensions = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    if not extensions:
        pytest.skip("numpy uses nothing of this processor that could be left out")
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(extensions)}
