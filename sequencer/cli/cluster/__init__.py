"""Run a local network: homes, ports, child processes, and what a person reads about them.

accounts     who exists at height 0, and what they own
blueprint    one network on paper: genesis and homes, from a seed
ports        free ports below the range that the system hands out
children     one operating-system process per node
page         the first page, and the ready file
lines        one line per block with content, bundle or fault
supervisor   all of it together
"""
