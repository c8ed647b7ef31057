"""Turn finalized cuts into one total order of atomic batches.

total_order   which batch comes when: a pure function of the finalized chain
delivery      hand out blocks by height as soon as their batches are held
"""
