"""Tests of the pure parts of p2p and of its in-memory network."""
