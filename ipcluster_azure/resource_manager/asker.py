"""Who asks Azure, as it is written into the tags of clusters and compared with them."""

from ..naming import Owner
from ..record.home import home_id, home_id_file
from .api import AzureApi


def asker(api: AzureApi) -> Owner:
    """Return who this process asks for. Blocking; raises AzureLauncherError if not logged in."""
    return Owner(api.login(), home_id())


def doubts(owner: Owner) -> list[str]:
    """In words for the user: what keeps his clusters from being told from those of others."""
    found = []
    if not owner.login:
        found.append(
            "This login's token does not say whose it is: your clusters are known by your name "
            f"alone, {owner.user}, and others may be called the same."
        )
    if not owner.home:
        found.append(
            f"{home_id_file()} can be neither read nor written: nothing tells the clusters of this "
            "home directory from others, and `ipcluster-azure reap` leaves them alone, unless they "
            "are on record, named, or their time is over."
        )
    return found
