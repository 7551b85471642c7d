"""The Python environment of this computer -> a lock, and wheels, from which machines make it."""
