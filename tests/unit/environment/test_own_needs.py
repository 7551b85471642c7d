"""What stays here, as only ipcluster-azure needs it."""

import sys

import pytest

from ipcluster_azure.environment.installed import Distribution, read_environment
from ipcluster_azure.environment.own_needs import own_needs

MARKERS = read_environment(sys.executable, []).markers
OURS = "ipcluster-azure: ipyparallel numpy>=1.26 azure-core[aio] Async_SSH tqdm"
# installed packages, a star for those that were asked for, with what they need
CASES: dict[str, tuple[list[str], str]] = {
    "all of Azure's": (
        [
            f"*{OURS}",
            "ipyparallel: tornado",
            "tornado:",
            "numpy:",
            "azure-core: requests aiohttp;extra=='aio' pytest;extra=='test'",
            "aiohttp: yarl",
            "yarl:",
            "pytest:",
            "requests: idna",
            "idna:",
            "async-ssh: cryptography",
            "cryptography:",
            "tqdm:",
            "*pandas: numpy",
        ],
        "ipcluster-azure azure-core aiohttp yarl requests idna async-ssh cryptography tqdm",
    ),
    "asked for by the user": (
        [
            OURS,
            "azure-core:",
            "async-ssh: cryptography",
            "cryptography:",
            "*azure-blob: azure-core",
        ],
        "ipcluster-azure async-ssh cryptography",
    ),
    "asked for, and ours as well": (
        [OURS, "*azure-core: requests", "requests:", "async-ssh:"],
        "ipcluster-azure async-ssh",
    ),
    "everything asked for, from a frozen list": (
        [f"*{OURS}", "*azure-core: requests", "*requests:", "*async-ssh:", "*pandas: requests"],
        "ipcluster-azure azure-core async-ssh",
    ),
    "needed by nobody but a circle of others": (
        [OURS, "tqdm:", "a: b", "b: a tqdm"],
        "ipcluster-azure",
    ),
    "a circle of ours": (
        [OURS, "azure-core: async-ssh", "async-ssh: azure-core"],
        "ipcluster-azure azure-core async-ssh",
    ),
    "the user's own project needs all of it": (
        [f"{OURS}", "azure-core:", "tqdm:", "*my-project: ipcluster_azure>=0.1"],
        "",
    ),
    "perhaps for another's extra": (
        [OURS, "azure-core:", "tqdm:", "files: azure-core>=1;extra=='azure'"],
        "ipcluster-azure tqdm",
    ),
    "perhaps for an extra, said the other way round": (
        [OURS, "azure-core:", "files: azure-core;'azure'==extra"],
        "ipcluster-azure",
    ),
    "elsewhere only": (
        [OURS, "tqdm:", "azure-core:", "other: tqdm;sys_platform=='win32'"],
        "ipcluster-azure tqdm azure-core",
    ),
    "an extra of an extra": (
        [OURS, "azure-core: a[b];extra=='aio'", "a: c;extra=='b'", "c:"],
        "ipcluster-azure azure-core a c",
    ),
    "what nobody can read": (
        [OURS, "azure-core: ===broken tqdm;nonsense=='x' @", "tqdm:", "async-ssh: not-installed"],
        "ipcluster-azure azure-core tqdm async-ssh",
    ),
    "without ourselves": (["*azure-core:", "pandas:"], ""),
}


def distribution(text: str) -> Distribution:
    name, _, requires = text.partition(":")
    return Distribution(
        name=name.strip("*"),
        version="1",
        location="/site",
        info=f"{name}-1.dist-info",
        requested=name.startswith("*"),
        requires=tuple(one.replace(";", " ; ") for one in requires.split()),
    )


@pytest.mark.parametrize(("lines", "expected"), CASES.values(), ids=CASES)
def test_own_needs(lines: list[str], expected: str) -> None:
    found = own_needs([distribution(line) for line in lines], MARKERS)
    assert found == frozenset(expected.split())


def test_here() -> None:
    """Azure's login stays here; what engines run, and what this test runs with, do not."""
    found = read_environment(sys.executable, sys.path)
    own = own_needs(found.distributions, found.markers)
    assert {"ipcluster-azure", "azure-identity", "msal", "asyncssh"} <= own
    assert not {"ipyparallel", "ipykernel", "numpy", "pytest", "packaging"} & own
