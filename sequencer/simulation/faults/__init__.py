"""Hurt a simulated network on purpose; one module for each family of faults."""
