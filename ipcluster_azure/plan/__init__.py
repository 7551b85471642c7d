"""Settings + n -> machines, names, request bodies, job files. Pure."""
