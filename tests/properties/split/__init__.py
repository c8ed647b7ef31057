"""Random logs over native and split rollups, with executors that lag, crash and lie."""
