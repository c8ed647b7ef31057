"""Carry bytes between authenticated peers; know channels and protocols, never consensus.

`network` is the interface, `memory` joins several endpoints inside one program, and
`libp2p_network` is the real thing. Nothing here imports the rest of the project.
"""
