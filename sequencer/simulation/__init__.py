"""Run many whole replicas in one thread under one seed, hurt them, and check what they promise.

Time is virtual, the network and the disks are in memory, and the only thing that differs
from a real node is the signature scheme: tokens instead of Ed25519. Equal options and seed
give equal runs, action by action, on every machine.
"""
