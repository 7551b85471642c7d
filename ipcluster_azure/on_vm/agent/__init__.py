"""Runs on the machines in their environment: controller, supervisor, engines, guard."""
