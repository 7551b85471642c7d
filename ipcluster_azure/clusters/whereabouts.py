"""Finds the subscriptions in which clusters of this user may be, without relying on any record."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from azure_emulator import client as emulator

from ..endpoint import Endpoint, RecordCore
from ..errors import ConfigurationError, EndpointUnreachable
from ..resource_manager.api import AzureApi
from ..resource_manager.credentials import check_login
from ..resource_manager.login_advice import how_to_log_in
from ..resource_manager.power import emulator_is_gone
from ..resource_manager.subscription import NoSubscription, find_subscription
from ..settings.values import EMULATOR, PUBLIC_CLOUD, Settings


@dataclass(frozen=True)
class Whereabouts:
    """A subscription at an endpoint."""

    endpoint: Endpoint
    subscription_id: str

    @contextmanager
    def api(self) -> Iterator[AzureApi]:
        """Yield a client of the subscription, once that has answered a first question within 20 s.

        Raises LoginError, AccessDenied or EndpointUnreachable.
        """
        check_login(self.endpoint, self.subscription_id)
        with AzureApi(self.endpoint, self.subscription_id) as api:
            api.group_exists("ipcluster-azure-probe")  # lists are asked for with more patience
            yield api


def configured(
    endpoint: str, subscription_id: str, audience: str = "", tenant_id: str = ""
) -> Whereabouts:
    """Return the subscription that settings name.

    Raises ConfigurationError for an impossible endpoint, and if no emulator runs for `emulator`.
    """
    if endpoint == EMULATOR:
        found = _emulator(subscription_id)
        if found is None:
            raise ConfigurationError(
                "No emulator is running, and the clusters of one that ran are gone with it."
            )
        return found
    if not endpoint.startswith("https://"):
        raise ConfigurationError(
            f"The endpoint must be 'emulator' or begin with https://, not {endpoint!r}."
        )
    url = endpoint.rstrip("/")
    where = Endpoint(url, (audience or url).rstrip("/"), tenant_id=tenant_id)
    return Whereabouts(where, find_subscription(subscription_id))


def of_settings(settings: Settings) -> Whereabouts:
    return configured(
        settings.endpoint, settings.subscription_id, settings.audience, settings.tenant_id
    )


def everywhere(cores: Iterable[RecordCore]) -> list[Whereabouts]:
    """Return all places where clusters of this user may be: the emulator if one runs, the
    subscription that a start would use, and the subscriptions of clusters on record (`cores`).

    Raises ConfigurationError if there is no such place.
    """
    found = [_emulator(""), _subscription()]
    found += [
        Whereabouts(core.endpoint, core.subscription_id)
        for core in cores
        if not emulator_is_gone(core.endpoint)
    ]
    # of the same place the one on record, which knows its tenant
    places = list({item: item for item in found if item is not None}.values())
    if not places:
        raise ConfigurationError(
            "There is nowhere to look: no emulator is running and no Azure subscription is known. "
            f"{how_to_log_in()} Or set $AZURE_SUBSCRIPTION_ID or --subscription-id."
        )
    return places


def _emulator(subscription_id: str) -> Whereabouts | None:
    try:
        info = emulator.find()
    except emulator.EmulatorError as error:
        raise EndpointUnreachable(f"The emulator can't be used: {error}") from error
    if info is None:
        return None
    endpoint = Endpoint(info.endpoint, info.endpoint, str(info.ca_file), str(info.token_file))
    return Whereabouts(endpoint, subscription_id or info.subscription_id)


def _subscription() -> Whereabouts | None:
    try:
        return configured(PUBLIC_CLOUD, "")
    except NoSubscription:
        return None
