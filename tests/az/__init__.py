"""Azure's own command, az, on the emulator: `make test-az`."""
