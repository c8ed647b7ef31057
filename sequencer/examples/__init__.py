"""Show in small programs what a shared sequencer is for; each runs against a devnet."""
