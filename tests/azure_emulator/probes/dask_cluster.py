"""Run by test_other_clients.py with a Python that has dask-cloudprovider: its own cluster class.

    python dask_cluster.py EMULATOR_JSON WORKERS

Nothing of dask-cloudprovider is changed but the endpoint and the credential. Its machines start
containers with `docker run`; these machines get a `docker` that runs the command without one.
Prints one JSON line: what each worker answered, and the seconds until then and until all was gone.
"""

import functools
import json
import shlex
import stat
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from ssl import create_default_context

from azure.core.credentials import AccessToken
from dask_cloudprovider.azure import AzureVMCluster, azurevm
from distributed import Client

GROUP, LOCATION, IMAGE = "dask", "eastus", "daskdev/dask:latest"
KIND = "/providers/Microsoft.Network"
DOCKER = f"""#!/bin/sh
shift
while [ "$1" != {IMAGE} ]; do
    if [ "$1" = -e ]; then shift; export "$1"; fi
    shift
done
shift
PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH
exec "$@"
"""


class Token:
    def __init__(self, text: str) -> None:
        self.text = text

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        return AccessToken(self.text, int(time.time()) + 3600)


class Arm:
    """The network that dask-cloudprovider expects to find."""

    def __init__(self, info: dict[str, str]) -> None:
        self.info = info
        self.token = Path(info["token_file"]).read_text()
        context = create_default_context(cafile=info["ca_file"])
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        self.opener = urllib.request.build_opener(*handlers)

    def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        absolute = path if path.startswith("/emulator") else f"{self.group}{path}"
        request = urllib.request.Request(  # noqa: S310 - https alone
            f"{self.info['endpoint']}{absolute}?api-version=2023-09-01",
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self.token}"},
        )
        with self.opener.open(request) as reply:
            return json.loads(reply.read() or b"{}")

    @property
    def group(self) -> str:
        return f"/subscriptions/{self.info['subscription_id']}/resourceGroups/{GROUP}"

    def make_network(self) -> None:
        prefix = self.call("GET", "/emulator/offer")["address_prefix"]
        self.call("PUT", "", {"location": LOCATION})
        rule = {
            "protocol": "Tcp",
            "access": "Allow",
            "direction": "Inbound",
            "priority": 100,
            "sourceAddressPrefix": "*",
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": "8786-8787",
        }
        rules = [{"name": "dask", "properties": rule}]
        self.call(
            "PUT",
            f"{KIND}/networkSecurityGroups/nsg",
            {"location": LOCATION, "properties": {"securityRules": rules}},
        )
        subnets = [{"name": "default", "properties": {"addressPrefix": prefix}}]
        space = {"addressPrefixes": [prefix]}
        self.call(
            "PUT",
            f"{KIND}/virtualNetworks/vnet",
            {"location": LOCATION, "properties": {"addressSpace": space, "subnets": subnets}},
        )


def point_at(info: dict[str, str], token: str) -> None:
    options = {"base_url": info["endpoint"], "connection_verify": info["ca_file"]}
    options["use_env_settings"] = False
    for name in ("ComputeManagementClient", "NetworkManagementClient"):
        setattr(azurevm, name, functools.partial(getattr(azurevm, name), **options))
    azurevm.DefaultAzureCredential = lambda: Token(token)


def main() -> None:
    info, workers = json.loads(sys.argv[1]), int(sys.argv[2])
    arm = Arm(info)
    arm.make_network()
    point_at(info, arm.token)
    with tempfile.TemporaryDirectory() as directory:
        docker = Path(directory, "docker")
        docker.write_text(DOCKER)
        docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
        began = time.monotonic()
        options = {
            "resource_group": GROUP,
            "location": LOCATION,
            "vnet": "vnet",
            "security_group": "nsg",
            "subscription_id": info["subscription_id"],
            "vm_size": "Standard_D2s_v5",
            "docker_image": IMAGE,
            "n_workers": workers,
            "bootstrap": False,
            "auto_shutdown": False,
            "extra_bootstrap": [f"export PATH={directory}:$PATH"],
        }
        with AzureVMCluster(**options) as cluster, Client(cluster) as client:
            client.wait_for_workers(workers, timeout=120)
            answers = client.run(lambda: 6 * 7)
            ready_s = time.monotonic() - began
            status = arm.call("GET", "/emulator/status")
        gone_s = time.monotonic() - began - ready_s
    report = {"answers": sorted(answers.values()), "ready_s": ready_s, "gone_s": gone_s}
    print(json.dumps({**report, "machines": len(status["virtual_machines"])}))


if __name__ == "__main__":
    main()
