"""Microsoft.Network: networks, interfaces, addresses, security groups."""
