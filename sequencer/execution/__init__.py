"""Apply atomic batches: decide every bundle, commit to the result, prove it.

machines          what each rollup's operations do
conditions        what must hold at a bundle's position
evaluation        one bundle's legs, all or nothing
system_state      sequences, deposits, fees
automaton         the outcome of every item of the log, on any log
commitments       the roots of a height
block_run         one block between begin and finish
history           the newest executed heights, for queries and proofs
executor          blocks in, commitments out, in slices
explanations      what people want to know about aborts
speculation       how undecided bundles are expected to end
snapshot          the executor's whole state as bytes
receipts          proofs for strangers
"""
