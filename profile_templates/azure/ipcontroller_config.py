# Settings of ipcontroller; it runs on the first virtual machine, which gets a copy of this file.
# Addresses and ports are set by the launcher.

c = get_config()
