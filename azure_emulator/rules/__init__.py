"""What is refused, slow or made to fail: permissions, policies, throttling, declared faults."""
