"""Keep what a node must not forget: vote log, blocks, snapshots; one lock per home.

interface    what a store promises, and what a replica's caller needs of it
encoding     records as bytes, shared by every store
disk         write, sync and rename, with every failure named
vote_log     what this validator signed, durable before it is sent
segments     append-only files of checked records
index        sqlite over the segments; can always be rebuilt from them
block_store  batches, blocks, executions and certificates
block_reader look-ups of the same, from any thread
snapshots    execution states to start from
node_store   all of it under one home
"""
