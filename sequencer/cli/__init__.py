"""Talk to a person: one file a command, heavy imports late, exit status 0, 1 or 2.

main       the table of commands, and what becomes of an error
command    options that commands share
output     text for people on stderr, JSON lines for programs on stdout
"""
