"""Request bodies of Microsoft.Network and of resource groups, as far as they are served."""

from __future__ import annotations

from typing import Any

from .schema import Shape

# Members of every top-level resource; the read-only ones come back when a body is read, changed
# and written again.
TOP: dict[str, Any] = {
    "id~": "any",
    "name~": "any",
    "type~": "any",
    "etag~": "any",
    "systemData~": "any",
    "location": "string",
    "tags": "tags",
}
CHILD: dict[str, Any] = {"name": "string", "id": "string", "etag~": "any", "type~": "any"}
STATE: dict[str, Any] = {"provisioningState~": "any", "resourceGuid~": "any"}
REFERENCE = Shape("SubResource", {"id!": "string"})
# A reference may carry the whole resource it points to; only its id counts.
EXPANDED = Shape(
    "SubResource",
    {
        "id!": "string",
        "name~": "any",
        "type~": "any",
        "location~": "any",
        "tags~": "any",
        "properties~": "any",
        "etag~": "any",
        "sku~": "any",
        "zones~": "any",
    },
)

RESOURCE_GROUP = Shape(
    "ResourceGroupDefinition",
    {**TOP, "properties": Shape("Properties", STATE), "managedBy": "string"},
)
TAGS_PATCH = Shape("TagsObject", {"tags": "tags"})

SUBNET = Shape(
    "Subnet",
    {
        **CHILD,
        "properties": Shape(
            "SubnetPropertiesFormat",
            {
                **STATE,
                "addressPrefix": "string",
                "addressPrefixes": ["string"],
                "networkSecurityGroup": EXPANDED,
                "natGateway": REFERENCE,
                "routeTable": EXPANDED,
                "serviceEndpoints": ["any"],
                "delegations": ["any"],
                "privateEndpointNetworkPolicies": "string",
                "privateLinkServiceNetworkPolicies": "string",
                "defaultOutboundAccess": "boolean",
                "ipConfigurations~": "any",
                "purpose~": "any",
            },
        ),
    },
)
VIRTUAL_NETWORK = Shape(
    "VirtualNetwork",
    {
        **TOP,
        "properties!": Shape(
            "VirtualNetworkPropertiesFormat",
            {
                **STATE,
                "addressSpace!": Shape("AddressSpace", {"addressPrefixes!": ["string"]}),
                "dhcpOptions": Shape("DhcpOptions", {"dnsServers": ["string"]}),
                "subnets": [SUBNET],
                "enableDdosProtection": "boolean",
                "enableVmProtection": "boolean",
                "privateEndpointVNetPolicies": "string",
                "encryption": "any",
                "flowTimeoutInMinutes": "integer",
                "virtualNetworkPeerings~": "any",
            },
        ),
    },
)

RULE = Shape(
    "SecurityRule",
    {
        **CHILD,
        "properties!": Shape(
            "SecurityRulePropertiesFormat",
            {
                **STATE,
                "description": "string",
                "protocol!": ("Tcp", "Udp", "Icmp", "Esp", "*", "Ah"),
                "sourcePortRange": "string",
                "destinationPortRange": "string",
                "sourcePortRanges": ["string"],
                "destinationPortRanges": ["string"],
                "sourceAddressPrefix": "string",
                "destinationAddressPrefix": "string",
                "sourceAddressPrefixes": ["string"],
                "destinationAddressPrefixes": ["string"],
                "access!": ("Allow", "Deny"),
                "priority!": "integer",
                "direction!": ("Inbound", "Outbound"),
            },
        ),
    },
)
SECURITY_GROUP = Shape(
    "NetworkSecurityGroup",
    {
        **TOP,
        "properties": Shape(
            "NetworkSecurityGroupPropertiesFormat",
            {
                **STATE,
                "securityRules": [RULE],
                "flushConnection": "boolean",
                "defaultSecurityRules~": "any",
                "networkInterfaces~": "any",
                "subnets~": "any",
            },
        ),
    },
)

PUBLIC_IP = Shape(
    "PublicIPAddress",
    {
        **TOP,
        "sku": Shape(
            "PublicIPAddressSku",
            {"name": ("Standard", "Basic"), "tier": ("Regional", "Global")},
        ),
        "zones": ["string"],
        "properties": Shape(
            "PublicIPAddressPropertiesFormat",
            {
                **STATE,
                "publicIPAllocationMethod": ("Static", "Dynamic"),
                "publicIPAddressVersion": ("IPv4", "IPv6"),
                "idleTimeoutInMinutes": "integer",
                "dnsSettings": Shape(
                    "PublicIPAddressDnsSettings",
                    {"domainNameLabel": "string", "fqdn": "string", "reverseFqdn": "string"},
                ),
                "ipTags": ["any"],
                "deleteOption": ("Delete", "Detach"),
                "ddosSettings": "any",
                "ipAddress~": "any",
                "ipConfiguration~": "any",
            },
        ),
    },
)

NIC_IP_CONFIGURATION = Shape(
    "NetworkInterfaceIPConfiguration",
    {
        **CHILD,
        "properties!": Shape(
            "NetworkInterfaceIPConfigurationPropertiesFormat",
            {
                **STATE,
                "privateIPAddress": "string",
                "privateIPAllocationMethod": ("Static", "Dynamic"),
                "privateIPAddressVersion": ("IPv4", "IPv6"),
                "subnet": EXPANDED,
                "primary": "boolean",
                "publicIPAddress": EXPANDED,
            },
        ),
    },
)
NETWORK_INTERFACE = Shape(
    "NetworkInterface",
    {
        **TOP,
        "properties!": Shape(
            "NetworkInterfacePropertiesFormat",
            {
                **STATE,
                "ipConfigurations!": [NIC_IP_CONFIGURATION],
                "networkSecurityGroup": EXPANDED,
                "dnsSettings": "any",
                "enableAcceleratedNetworking": "boolean",
                "enableIPForwarding": "boolean",
                "disableTcpStateTracking": "boolean",
                "nicType": "string",
                "auxiliaryMode": "string",
                "auxiliarySku": "string",
                "virtualMachine~": "any",
                "primary~": "any",
                "macAddress~": "any",
                "hostedWorkloads~": "any",
                "tapConfigurations~": "any",
                "vnetEncryptionSupported~": "any",
                "allowPort25Out~": "any",
                "defaultOutboundConnectivityEnabled~": "any",
            },
        ),
    },
)
