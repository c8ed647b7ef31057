"""Order transactions of many rollups in a Byzantine environment.

The way of the data, which is also the order in which to read the packages:

    rpc         answer clients: admit or say why
    mempool     hold admitted transactions until they are batched
    lanes       disseminate batches and know who holds them
    consensus   agree on one cut of lane tips per view
    ordering    turn finalized cuts into one total order of atomic batches
    execution   apply atomic batches: conditions, all-or-nothing, roots, outcomes
    store       write-ahead log, block store, snapshots

Everything from `replica` down is pure: `(event, now) → effects`. `node` runs a replica on a
real machine, `simulation` runs many in one thread under one seed.
"""

__version__ = "0.1.0"
