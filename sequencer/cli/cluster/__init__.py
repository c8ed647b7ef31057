"""Run a local network: homes, ports, child processes, and what a person reads about them.

accounts     who exists at height 0, and what they own
blueprint    one network on paper: keys and genesis, from a seed or fresh
directory    the network on disk: made, or found again
ports        free ports below the range that the system hands out
children     one operating-system process per node
supervisor   watch them until the end
ready        the ready file, and where the newest devnet is found
lines, page, teller    what is told of it, to people and to programs
"""
