"""Catch up without trusting the peer.

catch_up   when to ask whom for finalized blocks, and what an answer must prove
following  whom a full node asks, which asks all the time
"""
