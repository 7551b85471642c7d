"""Microsoft.Resources/deployments: templates put into effect."""
