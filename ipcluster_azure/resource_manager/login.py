"""What the SDK's clients log in with and talk through: one credential and one set of connections
for each endpoint and process."""

import atexit
import functools
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from ..endpoint import Endpoint
from .azure_time import clock_at
from .credentials import credential_for
from .patience import PatientTransport, Silence

CONNECTIONS = 16


def client_options(endpoint: Endpoint, subscription_id: str) -> dict[str, Any]:
    """What every client of Azure's SDK is made with, besides the subscription; they all share
    their connections."""
    verify = {"connection_verify": endpoint.ca_file} if endpoint.ca_file else {}
    session = session_for(endpoint)
    return {
        "credential": credential_for(endpoint, subscription_id),
        "base_url": endpoint.url,
        "credential_scopes": [f"{endpoint.audience}/.default"],
        "transport": PatientTransport(
            _silence(endpoint.url), session=session, session_owner=False, **verify
        ),
    }


@functools.lru_cache
def _silence(url: str) -> Silence:
    return Silence()


def session_for(endpoint: Endpoint) -> requests.Session:
    # the emulator listens on the loopback, where no proxy leads
    return _session(endpoint.url, trust_env=not endpoint.ca_file)


@functools.lru_cache
def _session(url: str, *, trust_env: bool) -> requests.Session:
    """The connections to an endpoint, kept: to open one with TLS takes three round trips."""
    session = requests.Session()
    session.trust_env = trust_env
    # the SDK's own policies retry; create_all asks for several things at once
    never = Retry(total=False, redirect=False, raise_on_status=False)
    session.mount("https://", HTTPAdapter(max_retries=never, pool_maxsize=CONNECTIONS))
    session.hooks["response"].append(clock_at(url).hear)
    atexit.register(session.close)
    return session
