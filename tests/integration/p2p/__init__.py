"""Tests of p2p over real libp2p hosts on loopback."""
