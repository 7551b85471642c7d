"""A cluster on machines with systemd, sshd and cloud-init, seen from a laptop in front of them."""
