from pathlib import Path

import pytest

from azure_emulator import client
from ipcluster_azure.clusters.whereabouts import Whereabouts, everywhere
from ipcluster_azure.endpoint import Endpoint, RecordCore
from ipcluster_azure.settings.values import PUBLIC_CLOUD

ON_RECORD = RecordCore(
    Endpoint(PUBLIC_CLOUD, PUBLIC_CLOUD, tenant_id="t-1"), "s-1", "group", True, "cluster"
)


def test_of_two_the_same_the_one_whose_tenant_is_known_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(client.STATE_DIR_VARIABLE, str(tmp_path))
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "s-1")
    (found,) = everywhere([ON_RECORD, ON_RECORD])
    assert found == Whereabouts(Endpoint(PUBLIC_CLOUD, PUBLIC_CLOUD), "s-1")
    assert found.endpoint.tenant_id == "t-1"
