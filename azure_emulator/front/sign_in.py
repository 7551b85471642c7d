"""What clients ask before they have a token: which endpoints this cloud has, and for the token.

az, Terraform and the SDKs find a cloud's endpoints in /metadata/endpoints, which everybody may
read, as on Azure. A token they get in the way of App Service's managed identities, from the
address in IDENTITY_ENDPOINT, for the secret in IDENTITY_HEADER: here that is the emulator's own
token, so that nobody gets anything who has not got it already.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

from aiohttp import web

from ..base import errors
from ..base.messages import ArmResponse, Json
from ..compute import images
from ..state import Emulator
from . import inputs

AUDIENCES = ["https://management.core.windows.net/", "https://management.azure.com/"]
VALID_S = 24 * 3600  # after that a client asks anew
ALIASES = "/metadata/vmImageAliases"
LAST_OF_SHORT_FORM = "2015-01-01"
# From this version on the answer is one cloud, before it is a list.
FIRST_OF_ONE_CLOUD = "2022-09-01"
CLOUD: Json = {
    "name": "AzureCloud",
    "portal": "https://portal.azure.com",
    "authentication": {
        "loginEndpoint": "https://login.microsoftonline.com",
        "audiences": AUDIENCES,
        "tenant": "common",
        "identityProvider": "AAD",
    },
    "media": "https://rest.media.azure.net",
    "graphAudience": "https://graph.windows.net/",
    "graph": "https://graph.windows.net/",
    "suffixes": {
        "acrLoginServer": "azurecr.io",
        "attestationEndpoint": "attest.azure.net",
        "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
        "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
        "azureFrontDoorEndpointSuffix": "azurefd.net",
        "keyVaultDns": "vault.azure.net",
        "mhsmDns": "managedhsm.azure.net",
        "mysqlServerEndpoint": "mysql.database.azure.com",
        "postgresqlServerEndpoint": "postgres.database.azure.com",
        "sqlServerHostname": "database.windows.net",
        "storage": "core.windows.net",
        "storageSyncEndpointSuffix": "afs.azure.net",
        "synapseAnalytics": "dev.azuresynapse.net",
    },
    "batch": "https://batch.core.windows.net/",
    "sqlManagement": "https://management.core.windows.net:8443/",
    "activeDirectoryDataLake": "https://datalake.azure.net/",
    "appInsightsResourceId": "https://api.applicationinsights.io",
    "appInsightsTelemetryChannelResourceId": "https://dc.applicationinsights.azure.com/v2/track",
    "attestationResourceId": "https://attest.azure.net",
    "logAnalyticsResourceId": "https://api.loganalytics.io",
    "ossrdbmsResourceId": "https://ossrdbms-aad.database.windows.net",
    "synapseAnalyticsResourceId": "https://dev.azuresynapse.net",
}


def endpoints(em: Emulator, request: web.Request) -> ArmResponse:
    """Answer the cloud's endpoints; Resource Manager's is the address the client knows us by."""
    version = request.query.get("api-version")
    inputs.check_api_version(version)
    own = inputs.base_url(request)
    if str(version) <= LAST_OF_SHORT_FORM:
        short = {
            "galleryEndpoint": own,
            "graphEndpoint": CLOUD["graph"],
            "portalEndpoint": CLOUD["portal"],
            "authentication": {
                "loginEndpoint": CLOUD["authentication"]["loginEndpoint"],
                "audiences": AUDIENCES,
            },
        }
        return ArmResponse(200, short)
    cloud = {
        **CLOUD,
        "resourceManager": f"{own}/",
        "gallery": f"{own}/",
        "vmImageAliasDoc": f"{own}{ALIASES}",
        "microsoftGraphResourceId": f"{own}/",  # graph.py
    }
    return ArmResponse(200, cloud if str(version) >= FIRST_OF_ONE_CLOUD else [cloud])


def image_aliases(em: Emulator, request: web.Request) -> ArmResponse:
    """Answer the short names of images that az knows, for those that exist here.

    On Azure this is a file in a public repository, in the form of a template with outputs.
    """
    systems: Json = {"Linux": {}, "Windows": {}}
    for alias, (publisher, offer, sku) in images.ALIASES.items():
        reference = {"publisher": publisher, "offer": offer, "sku": sku}
        system = "Windows" if images.is_windows(reference) else "Linux"
        systems[system][alias] = {
            **reference,
            "version": "latest",
            "architecture": images.architecture(reference),
        }
    aliases = {"type": "object", "value": systems}
    return ArmResponse(200, {"contentVersion": "1.0.0.0", "outputs": {"aliases": aliases}})


def token(em: Emulator, request: web.Request) -> ArmResponse:
    """Answer App Service's request for a managed identity's token (api-version 2019-08-01)."""
    given = request.headers.get("X-IDENTITY-HEADER", "")
    own = em.permissions.own_token
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), own.encode()):
        raise errors.authentication_failed("The X-IDENTITY-HEADER is missing or wrong.")
    resource = request.query.get("resource")
    if not resource:
        raise errors.bad_request("The query parameter 'resource' is required.")
    body = {
        "access_token": own,
        "expires_on": str(int(time.time()) + VALID_S),
        "resource": resource,
        "token_type": "Bearer",
    }
    return ArmResponse(200, body)


OPEN: dict[str, Callable[[Emulator, web.Request], ArmResponse]] = {
    "/metadata/endpoints": endpoints,
    ALIASES.lower(): image_aliases,
    "/msi/token": token,
}
"""Path in lower case -> who answers GET on it without an Authorization header."""
