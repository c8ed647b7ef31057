"""Fill each table of a replica as far as one peer, or its clients, can, and look how far that is. # B14 I11

hall      four validators: a victim, an attacker that does what a flood tells it, two that go on
votes     floods of votes, proposals, commitments and accusations
data      floods of batches, claims and requests
clients   floods of submissions and gossip
registry  every flood with the tables that it fills; run them

What no single peer can fill is in no flood: its bound is never what stops an attack.
"""
