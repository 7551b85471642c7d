"""The process that stays on the user's computer: tunnels for clients, an eye on the machines."""
