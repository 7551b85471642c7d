"""What a machine has printed to its serial port: Azure keeps it, and tells where, by a secret URL.

The log is read without our login, which is no business of the storage's.
"""

import requests

from ..errors import EndpointUnreachable, RequestRefused
from ..resource_ids import parse_id
from .api import AzureApi

MOST_BYTES = 4_000_000  # Azure keeps 1 MB of a machine, or little more
CHUNK = 1 << 16


def boot_log(api: AzureApi, vm_id: str, timeout_s: float) -> str:
    """Return the serial log of a machine. Blocking, for about `timeout_s` twice at the most.

    Raises RequestRefused if there is none (yet), AccessDenied, and EndpointUnreachable.
    """
    name, url = parse_id(vm_id).name, api.boot_log_url(vm_id, timeout_s)
    try:
        with requests.Session() as session:
            if api.endpoint.token_file:  # the emulator, which no proxy reaches
                session.trust_env = False
            verify = api.endpoint.ca_file or True
            with session.get(url, timeout=timeout_s, verify=verify, stream=True) as response:
                if response.status_code != requests.codes.ok:
                    raise RequestRefused(
                        f"Azure has no serial log of {name} (HTTP status {response.status_code}). "
                        "A machine that has never booted has none; else try again in a minute."
                    )
                data = b""
                for chunk in response.iter_content(CHUNK):
                    data = (data + chunk)[-MOST_BYTES:]
    except requests.RequestException as error:  # its text would have the URL, which is a secret
        raise EndpointUnreachable(
            f"The serial log of {name} can't be read from Azure's storage: {type(error).__name__}. "
            "A firewall may let nothing through to it."
        ) from None
    return data.decode(errors="replace")
