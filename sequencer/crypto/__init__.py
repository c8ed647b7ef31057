"""Turn bytes into digests, signatures and Merkle roots; know no protocol.

hashing      tagged SHA-256, with every tag in one table
signatures   Ed25519 by libsodium, and the interface that the simulator replaces
merkle       counted list roots, inclusion paths
"""
