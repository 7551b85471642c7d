"""The machines: SSH servers with real processes, and what cloud-init does in them."""
