"""Keep what a node must not forget: vote log, blocks, snapshots; one lock per home.

interface        what a store promises
encoding         records as bytes
disk             write, sync and rename, with every failure named
vote_log         what this validator signed, durable before it is sent
segments         append-only files of checked frames
index            sqlite over the segments; can always be rebuilt from them
block_store      write batches, blocks, executions and certificates
block_reader     look them up, from any thread
snapshots        execution states to start from, and to serve chunk by chunk
snapshot_claims  prove a snapshot to strangers
evidence_log     what proves validators faulty
node_store       all of it under one home
"""
