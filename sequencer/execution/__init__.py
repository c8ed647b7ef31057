"""Apply atomic batches: decide every bundle, commit to the result, prove it.

One item:
machines          what each rollup's operations do
conditions        what must hold at a bundle's position
evaluation        one bundle's legs, all or nothing
system_state      sequences, deposits, fees, suspensions
deliveries        messages between rollups, exactly once
admission         who is taken in
rule              the outcome that follows from the verdicts

What cannot be decided at its position:
entries           one such item, rollup by rollup
access_index      which items it rests on
pending_table     all of them, by rollup, deadline and dep
pending           their descriptions, under the pending root
certificates      what executors have certified
attestation       which verdicts count by now
settlement        running bundles on the settled states
automaton         the outcome of every item of the log, on any log
decisions         what is decided in one block
outcome_window    how the newest bundles ended

Blocks:
commitments       the roots of a height
block_run         one block between begin and finish
history           the newest executed heights, for proofs
executed_state    answers about the newest executed heights
executor          blocks in, commitments out, in slices
network           what execution starts from
snapshot          the executor's whole state as bytes

For others:
explanations      what people want to know about aborts
foresight         what would become of a bundle
foretelling       the same, stateless checks included
outlook           what a lane owner holds back
speculation       how undecided bundles are expected to end
assets            how much of each asset there is
outbox, mail      messages that are not delivered, and their proofs
receipts, proofs  files for strangers
"""
