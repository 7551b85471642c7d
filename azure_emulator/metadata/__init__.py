"""What a machine is told from inside: instance metadata, events, tokens."""
