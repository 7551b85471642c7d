"""What the commands know of all clusters at once: where they are, how they are, which to delete."""
