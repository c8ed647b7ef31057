"""Agree on one cut of lane tips per view, with Simplex voting.

core            one view after the other: what each event changes and sends
voting_rules    the safety rules alone: may I notarize, nullify, finalize
proposer        what a leader builds on, and when it proposes
view_record     votes, certificates and own acts of one view
block_tree      headers by digest, and the finalized chain
forwarding      which certificates go to whom, so that nobody waits for ever
timeouts        how long a view may take
availability    what consensus asks of the lanes
"""
