"""Who reaches which port: from the laptop, from anywhere else, and from machine to machine."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from .conftest import Laptop

SCAN = """
import asyncio, json, sys

async def ask(host, port, limit):
    async with limit:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 2)
        except asyncio.TimeoutError:
            return "silent"
        except OSError as error:
            return type(error).__name__
        writer.close()
        return str(port)

async def scan(host, ports):
    limit = asyncio.Semaphore(800)
    return sorted(set(await asyncio.gather(*(ask(host, port, limit) for port in ports))))

"""
# what machines open by themselves is among those that Linux hands out, 32768 and above
SEEN = [*range(1, 10_001), *range(32_768, 61_000, 7)]
REFUSED = "ConnectionRefusedError"
# an address that is nobody's in ssh_source, of a network of its own
ROUTER, OFFICE = "203.0.113.1", "203.0.113.2"


def program(address: str, ports: list[int]) -> str:
    return f"{SCAN}print(json.dumps(asyncio.run(scan({address!r}, {ports}))))"


def scan(laptop: Laptop, address: str) -> list[str]:
    answers: list[str] = json.loads(laptop.run("python", "-c", program(address, SEEN)))
    return answers


@pytest.fixture
def office(laptop: Laptop) -> Iterator[Laptop]:
    """Another computer on the internet, with an address of its own."""
    prefix = laptop.namespace.removesuffix("laptop")
    router, name = f"{prefix}router", f"{prefix}office"
    far = replace(laptop, namespace=name)
    for command in (
        f"netns add {name}",
        f"-n {router} link add office type veth peer eth0 netns {name}",
        f"-n {router} addr add {ROUTER}/24 dev office",
        f"-n {router} link set office up",
        f"-n {name} addr add {OFFICE}/24 dev eth0",
        f"-n {name} link set eth0 up",
        f"-n {name} link set lo up",
        f"-n {name} route add default via {ROUTER}",
    ):
        laptop.here("ip", *command.split())
    yield far
    laptop.here("ip", "netns", "del", name)


def test_one_port_is_open_in_the_whole_cluster(laptop: Laptop, cluster: str) -> None:
    assert scan(laptop, laptop.record()["controller"]["host"]) == ["22", "silent"]


def test_from_another_address_none_is(laptop: Laptop, office: Laptop, cluster: str) -> None:
    host = laptop.record()["controller"]["host"]
    assert scan(office, host) == ["silent"]
    neighbours = laptop.here("ip", "-n", office.namespace, "neigh", "show", ROUTER)
    assert "lladdr" in neighbours  # it was asked: the way there is open


def test_private_addresses_are_nowhere_from_outside(laptop: Laptop, cluster: str) -> None:
    addresses = (laptop.on_machine(name, "hostname -I") for name in laptop.machines())
    for address in addresses:
        ports = [22, 80, 443]
        answers = json.loads(laptop.run("python", "-c", program(address.strip(), ports)))
        assert answers == ["silent"], address


def test_between_machines_nothing_is_open_but_ssh_and_what_is_ours(
    laptop: Laptop, cluster: str
) -> None:
    """A neighbour in the virtual network sees sshd, and of the controller the ports for engines."""
    (controller, engine) = laptop.machines()
    listens = "ss -Hltn | awk '$4 !~ /^(127|\\[::1)/ {print $4}'"
    for machine, neighbour in ((controller, engine), (engine, controller)):
        address = laptop.on_machine(machine, "hostname -I").strip()
        lines = laptop.on_machine(machine, listens).splitlines()
        listening = {line.rsplit(":", 1)[1] for line in lines}
        assert "22" in listening
        ports = sorted({*range(1, 3_001), *map(int, listening)})
        quoted = program(address, ports).replace("'", "'\\''")
        found = json.loads(laptop.on_machine(neighbour, f"python3 -c '{quoted}'"))
        assert set(found) - {REFUSED} == listening, machine
        others = listening - {"22"}
        assert all(int(port) > 1023 for port in others)
        assert bool(others) == (machine == controller)
