"""Hold the borders that the design draws: layers, purity, no sleeping, a tidy tree."""
