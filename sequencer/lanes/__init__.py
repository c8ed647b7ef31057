"""Disseminate batches and know who holds them.

lanes         events in, effects out: dispatch, the own lane, HAVE
held          every lane as held here, and what is to be said of it
lane          one validator's hash-chain as held here
holdings      who said HAVE for what: supported and weakly held tips
receiving     check what peers send of lanes, and answer who fetches
fork_watch    notice that an owner signed two batches for one position
tips          choose how far a leader leads into each lane; what a voter may rely on
spam          slow down lanes that fill blocks with what cannot be admitted
standing      which lanes a leader trusts to be held by all
own_lane      build this validator's batches and push them to everybody
bounds        every table with its size and bound
batch_fetch   ask for batches that a valid proposal or a finalized block names
"""
