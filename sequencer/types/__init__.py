"""Define the frozen values that cross borders; each can check itself, none can act.

primitives, parameters, signing          plain values, protocol constants, the 85 signed bytes
committee, genesis                       who validates, and the network at height 0
bundle, item, outcome                    what clients ask for, and what becomes of it
batch, block, vote, commitment           what validators agree on
leaves, executed, receipt                what a commitment commits to, and how that is proven
evidence                                 what proves that a validator is faulty
snapshot, snapshot_messages              a state that can be fetched in pieces
messages                                 what travels between validators
records                                  what is written down
events, effects                          the whole interface of a replica
"""
