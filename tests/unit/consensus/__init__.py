"""Test agreement: the voting rules alone, the times of a view, and one validator among scripted peers."""
