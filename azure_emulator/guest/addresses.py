"""Addresses on the loopback: offers for VNets, the pool of public addresses, subnets' free ones."""

from __future__ import annotations

import ipaddress
import random
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from ..base import errors

LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")
OFFER_KEPT_S = 300.0
RESERVED_FIRST = 4  # Azure keeps .0 to .3 of every subnet, and the last address

Network = ipaddress.IPv4Network


class Addresses(ABC):
    """Where the addresses of networks and machines come from.

    ssh_port: of all machines; ssh_source: where a user's computer is, for security rules.
    """

    ssh_port: int
    ssh_source: str

    def __init__(self, public: Network) -> None:
        self._public_net = public
        self._public_used: set[str] = set()

    @abstractmethod
    def offer(self, used: Iterable[Network]) -> Network:
        """Return a /24 for a new virtual network, unlike those in use."""

    def take_public(self) -> str | None:
        """Return a public address that nobody has; None if there is none."""
        for host in self._public_net.hosts():
            if str(host) not in self._public_used:
                self._public_used.add(str(host))
                return str(host)
        return None

    def is_public(self, address: str) -> bool:
        """Return whether the address is one of those that this emulator hands out."""
        try:
            return ipaddress.IPv4Address(address) in self._public_net
        except ValueError:
            return False

    def release_public(self, address: str) -> None:
        """Take a public address back."""
        self._public_used.discard(address)


class NamespaceAddresses(Addresses):
    """Addresses of machines in namespaces of their own, where nobody else's are in the way.

    VNets are offered from 10.0.0.0/8, public addresses from the block that is for documentation.
    """

    ssh_port = 22
    ssh_source = "198.51.100.0/24"

    def __init__(self) -> None:
        super().__init__(Network("192.0.2.0/24"))
        self._next = 0

    def offer(self, used: Iterable[Network]) -> Network:
        taken = list(used)
        while True:
            self._next += 1
            second, third = divmod(self._next % 65536, 256)
            network = Network(f"10.{second}.{third}.0/24")
            if not any(network.overlaps(net) for net in taken):
                return network


class LoopbackAddresses(Addresses):
    """Loopback addresses, drawn at random, so that several emulators on one computer rarely meet.

    VNets are offered from 127.16.0.0 - 127.127.255.255, public addresses from a /24 of 127.128.0.0
    - 127.254.255.255.
    """

    ssh_source = "127.0.0.0/8"

    def __init__(self, stream: random.Random | None = None) -> None:
        self._random = stream or random.SystemRandom()
        self._offered: dict[Network, float] = {}
        second, third = self._random.randint(128, 254), self._random.randint(0, 255)
        super().__init__(Network(f"127.{second}.{third}.0/24"))
        self.ssh_port = self._free_port()

    def _free_port(self) -> int:
        """Return a port that is free on all addresses, below those that the system hands out."""
        for _ in range(100):
            port = self._random.randint(20_000, 32_000)
            with socket.socket() as probe:
                try:
                    probe.bind(("0.0.0.0", port))  # noqa: S104 - only asked, never listened on
                except OSError:
                    continue
                return port
        raise OSError("no free TCP port between 20000 and 32000")

    def offer(self, used: Iterable[Network]) -> Network:
        """Return a /24 that no VNet here uses and nobody was offered in the last five minutes."""
        now = time.monotonic()
        self._offered = {net: at for net, at in self._offered.items() if now - at < OFFER_KEPT_S}
        taken = list(used)
        while True:
            second, third = self._random.randint(16, 127), self._random.randint(0, 255)
            network = Network(f"127.{second}.{third}.0/24")
            if network not in self._offered and not any(network.overlaps(net) for net in taken):
                self._offered[network] = now
                return network


class AddressBook:
    """Which private address of which subnet belongs to which IP configuration."""

    def __init__(self) -> None:
        self._subnets: dict[str, dict[int, str]] = {}

    def owners(self, subnet_id: str) -> list[str]:
        return list(self._subnets.get(subnet_id.lower(), {}).values())

    def free(self, subnet_id: str, prefix: str) -> Iterator[str]:
        """Yield the subnet's free addresses, the lowest first."""
        used = self._subnets.get(subnet_id.lower(), {})
        network = Network(prefix)
        first = int(network.network_address) + RESERVED_FIRST
        for value in range(first, int(network.broadcast_address)):
            if value not in used:
                yield str(ipaddress.IPv4Address(value))

    def reserve(self, subnet_id: str, prefix: str, wanted: str | None, owner: str) -> str:
        """Take the wanted address, or the lowest free one.

        Raises Azure's refusal if that can't be.
        """
        used = self._subnets.setdefault(subnet_id.lower(), {})
        network = Network(prefix)
        first = int(network.network_address) + RESERVED_FIRST
        last = int(network.broadcast_address)
        if wanted is None:
            value = next((value for value in range(first, last) if value not in used), None)
            if value is None:
                raise _subnet_full(subnet_id, prefix)
        else:
            value = int(_parsed(wanted))
            _check_wanted(wanted, value, network, first, last, used.get(value), owner)
        used[value] = owner
        return str(ipaddress.IPv4Address(value))

    def release(self, subnet_id: str, address: str) -> None:
        used = self._subnets.get(subnet_id.lower(), {})
        used.pop(int(ipaddress.IPv4Address(address)), None)


def _parsed(address: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(address)
    except ValueError:
        message = f"The IP address '{address}' is invalid."
        raise errors.ArmError(400, "InvalidIPAddressFormat", message) from None


def _subnet_full(subnet_id: str, prefix: str) -> errors.ArmError:
    name = subnet_id.rsplit("/", 1)[-1]
    return errors.ArmError(
        400,
        "SubnetIsFull",
        f"Subnet {name} with address prefix {prefix} does not have enough capacity for 1 IP "
        "addresses.",
    )


def _check_wanted(
    wanted: str,
    value: int,
    network: Network,
    first: int,
    last: int,
    holder: str | None,
    owner: str,
) -> None:
    if not int(network.network_address) <= value <= last:
        raise errors.ArmError(
            400,
            "PrivateIPAddressNotInSubnet",
            f"Private static IP address {wanted} does not belong to the range of subnet prefix "
            f"{network}.",
        )
    if not first <= value < last:
        raise errors.ArmError(
            400,
            "PrivateIPAddressInReservedRange",
            f"Private static IP address {wanted} falls within reserved IP range of subnet prefix "
            f"{network}.",
        )
    if holder is not None and holder.lower() != owner.lower():
        raise errors.ArmError(
            400,
            "PrivateIPAddressIsAllocated",
            f"IP configuration {owner} is using the private IP address {wanted} which is already "
            f"allocated to resource {holder}.",
        )
