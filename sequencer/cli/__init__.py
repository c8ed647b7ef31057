"""Talk to a person: one file a command, heavy imports late, exit status 0, 1 or 2.

main             the table of commands, and what becomes of an error
command          options and exit statuses that commands share
output           text for people on stderr, JSON lines for programs on stdout
signals          stop without a traceback
ask, sending     one question to a node; one transaction, and what became of it
drafts           what a person writes, made into a signed transaction
cluster/         behind `devnet` and `init`
workload/        behind `load`

Every other file is the command of its name.
"""
