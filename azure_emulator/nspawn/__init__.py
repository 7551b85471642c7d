"""Machines that are systemd-nspawn containers in network namespaces (--machines=nspawn)."""
