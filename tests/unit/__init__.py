"""Test one part at a time."""
