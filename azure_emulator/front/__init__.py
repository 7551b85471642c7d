"""The server: HTTPS, routes, and the order in which a request is looked at."""
