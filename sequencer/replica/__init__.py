"""Join all pure parts into one node without IO.

replica         events in, effects out: dispatch
parts           all parts of one replica, built from what the store kept
settling        carry what one part has for another until nothing moves; order of effects
configuration   what a replica is told at its start
recovery        the state from which it goes on after a restart
item_checks     which items are being checked, and the results
pipeline        finalized blocks → executed blocks, in slices
commitments     sign, collect and compare commitments
verdict_exchange votes of executors out and in, certificates into the log
executor_duties what an executor says, and says again
verdict_pool    executors' votes until enough say the same
ranked_inclusion what every validator has goes through one lane
evidence_pool   what proves validators faulty, verified and bounded
block_server    answer peers that catch up
snapshot_server answer peers that need a snapshot
admissions      items of an executed block by lane, and whether they were admitted
bounds          every table with its size and bound
statistics      what can be counted, frozen
"""
