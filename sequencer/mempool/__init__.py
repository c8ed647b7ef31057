"""Hold admitted transactions until they are batched, and until they are final.

mempool    what each event does with the transactions held
agenda     when to look at one again
entry      one transaction from admission until it is executed or expired
patience   what would abort now, and how long it is held back for that
answers    which client waits for which transactions
departures what became of those that left without having been ordered
ranking    who includes what came by gossip, and when
"""
