"""Agree on one cut of lane tips per view, with Simplex voting.

core            events in, effects out: dispatch, and bring everything to rest
state           what one validator knows and has said; the parts below act on it
leading         propose in the views that this validator leads
voting          notarize or give up the current view
view_change     votes become certificates, certificates move the view and finality
voting_rules    the safety rules alone: may I notarize, nullify, finalize
proposer        what a leader builds on, and when it proposes
own_votes       log and sign what this validator says
view_record     votes, certificates and own acts of one view
block_tree      headers by digest, and the finalized chain
finality        what is final, and the chain that is handed out because of it
header_fetch    ask for headers that a certificate names
forwarding      which certificates go to whom, so that nobody waits for ever
timeouts        how long a view may take
view_clock      the times of one view
suspicion       what one validator says that excludes something else it said
bounds          every table with its size and bound
counters        how often bounds were reached
availability    what consensus asks of the lanes
"""
