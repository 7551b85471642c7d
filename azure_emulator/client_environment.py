"""The environment variables by which az, Terraform and the Azure SDKs find an emulator."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from .http_client import EmulatorInfo

CONFIG_DIR = "azure-cli"  # of az, within the state directory


def variables(info: EmulatorInfo) -> dict[str, str]:
    """Return the variables by name; the comments say who reads them."""
    token = Path(info.token_file).read_text(encoding="ascii").strip()
    tenant_id = _tenant_id(token)
    host = urlsplit(info.endpoint).netloc
    metadata = f"{info.endpoint}/metadata/endpoints"
    return {
        # az: where its settings and logins are, and what AzureCloud is
        "AZURE_CONFIG_DIR": str(Path(info.state_dir) / CONFIG_DIR),
        "ARM_CLOUD_METADATA_URL": f"{metadata}?api-version=2019-05-01",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        # az login --identity, and azure-identity's ManagedIdentityCredential
        "IDENTITY_ENDPOINT": f"{info.endpoint}/msi/token",
        "IDENTITY_HEADER": token,
        # requests, and with it az; everything that uses OpenSSL, and Go
        "REQUESTS_CA_BUNDLE": info.ca_file,
        "SSL_CERT_FILE": info.ca_file,
        "NO_PROXY": _no_proxy("NO_PROXY"),
        "no_proxy": _no_proxy("no_proxy"),
        # programs of one's own: base_url and subscription_id of an SDK's client
        "AZURE_RESOURCE_MANAGER_ENDPOINT": info.endpoint,
        "AZURE_SUBSCRIPTION_ID": info.subscription_id,
        "AZURE_TENANT_ID": tenant_id,
        # Terraform's azurerm
        "ARM_METADATA_HOSTNAME": host,
        "ARM_SUBSCRIPTION_ID": info.subscription_id,
        "ARM_TENANT_ID": tenant_id,
        "ARM_USE_CLI": "true",
        "ARM_RESOURCE_PROVIDER_REGISTRATIONS": "none",
    }


def _tenant_id(token: str) -> str:
    """Return the tenant of a JSON Web Token."""
    claims = token.split(".")[1]
    padding = "=" * (-len(claims) % 4)
    return str(json.loads(base64.urlsafe_b64decode(claims + padding))["tid"])


def _no_proxy(name: str) -> str:
    return ",".join([*filter(None, [os.environ.get(name)]), "127.0.0.1"])
