"""Catch up without trusting the peer.

catch_up         when to ask whom for finalized blocks, and what an answer must prove
following        whom a full node asks, which asks all the time
state_sync       when only a snapshot leads further, whose to take, and who lied about it
snapshot_round   fetch the chunks of one snapshot
"""
