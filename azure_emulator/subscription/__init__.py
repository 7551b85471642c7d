"""The subscription: its groups, locations, sizes and providers."""
