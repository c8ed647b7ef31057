"""Disseminate batches and know who holds them.

lanes         events in, effects out: dispatch only
lane          one validator's hash-chain as held here
holdings      who said HAVE for what: supported and weakly held tips
own_lane      build this validator's batches and push them to everybody
batch_fetch   ask for batches that a valid proposal or a finalized block names
"""
