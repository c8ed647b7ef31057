"""Hold a run to its promises: every checker names the rule or invariant that it guards.

Checkers see more than any node can: every vote sent, every record that became durable.
They share one `Ledger` of such facts, and compute what they claim on their own, without
the code that they check.
"""
