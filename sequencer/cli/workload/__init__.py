"""Send traffic at a fixed rate and check what became of every transaction.

schedule    what is sent when, and what must become of it
traffic     the signed bundles, one channel of one account each
flights     what is on its way, and what became of it
report      the counts that `load` ends with
run         send, follow finality, compare
"""
