"""What runs on the machines; it is sent there, and imports nothing of the rest."""
