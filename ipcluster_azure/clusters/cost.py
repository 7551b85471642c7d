"""What clusters cost an hour, from what Azure shows of them."""

from collections.abc import Iterable

from ..plan.prices import Prices, Rate
from ..plan.resource_types import PUBLIC_IP
from ..resource_ids import parse_id
from ..resource_manager.discovery import FoundCluster
from ..resource_manager.prices import known_prices
from .whereabouts import Whereabouts

Found = Iterable[tuple[Whereabouts, FoundCluster]]


def rates(found: Found) -> list[Rate]:
    """What each of the clusters that Azure shows costs an hour. Blocking, for a few seconds."""
    found = list(found)
    sizes: dict[tuple[Whereabouts, str], dict[str, None]] = {}
    for where, cluster in found:
        wanted = sizes.setdefault((where, cluster.location), {})
        wanted |= dict.fromkeys(machine.size for machine in cluster.billed)
    prices = {
        key: known_prices(key[0].endpoint, key[1], [*wanted]) for key, wanted in sizes.items()
    }
    return [_rate(cluster, prices[where, cluster.location]) for where, cluster in found]


def _rate(cluster: FoundCluster, prices: Prices) -> Rate:
    rate = Rate()
    for machine, count in cluster.billed.items():
        one = prices.machine(machine.size, machine.priority) + prices.disk(machine.os_disk_gb)
        rate += one.times(count)
    kinds = [parse_id(item).type.lower() for item in cluster.states]
    return rate + prices.public_address().times(kinds.count(PUBLIC_IP.lower()))
