"""JupyterLab's panel "Clusters" in a real browser: what its buttons do, and what it shows."""

from typing import Any

from .conftest import ON_EMULATOR, Profile
from .jupyter import browsing, needs_chromium
from .test_panel import TOKEN, jupyter_of

QUIET = "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate"
ROW = ".ipp-ClusterListingItem[data-cluster-id='azure:']"
START, STOP = (f"{ROW} .ipp-ClusterListingItem-{name}" for name in ("start", "stop"))


def pressed(page: Any, button: str, method: str) -> int:
    """Press a button, wait until the server has done what it asks for; returns the status."""
    with page.expect_response(
        lambda answer: "/ipyparallel/clusters/" in answer.url and answer.request.method == method
    ) as answered:
        page.locator(button).click()
    status: int = answered.value.status
    return status


def wait_for_state(page: Any, state: str) -> str:
    """Return what the cluster's row shows, once it shows this state."""
    row = page.locator(ROW, has_text=f"State: {state}")
    row.wait_for()
    text: str = row.inner_text()
    return text


@needs_chromium
def test_a_cluster_s_life_and_a_start_that_fails(profile: Profile) -> None:
    profile.configure(f"{ON_EMULATOR}c.Cluster.n = 2\nc.AzureVMLauncher.vm_size = '50% of %s'\n")
    with jupyter_of(profile, "jupyterlab", QUIET) as server, browsing() as page:
        page.goto(f"{server.url}lab?token={TOKEN}")
        page.locator("[data-id='ipp-cluster-launcher']").click()
        wait_for_state(page, "Stopped")
        assert pressed(page, START, "POST") == 500
        said = page.locator(".jp-Dialog").inner_text()
        assert "Failed to start cluster" in said
        assert "vm_size '50% of %s' is not offered in eastus." in said
        page.locator(".jp-Dialog button").click()
        profile.assert_nothing_left()

        profile.configure(f"{ON_EMULATOR}c.Cluster.n = 2\n")
        wait_for_state(page, "before")  # ipyparallel's own
        assert pressed(page, STOP, "DELETE") == 204
        wait_for_state(page, "Stopped")
        assert pressed(page, START, "POST") == 200
        assert "Number of engines: 2" in wait_for_state(page, "running")
        assert profile.engine_ids() == [0, 1]
        assert pressed(page, STOP, "DELETE") == 204
        wait_for_state(page, "Stopped")
    profile.assert_nothing_left()
