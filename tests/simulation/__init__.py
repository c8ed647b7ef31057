"""Run whole replicas under faults, and prove that the checkers can fail."""
