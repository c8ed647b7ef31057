"""Turn validators into adversaries: each behaviour is a genuine replica with one rule replaced at its border.

behaviour   what every behaviour may do: see events, replace effects, send at will, sign with its own key
node        a simulated machine whose replica's events and effects pass through behaviours
conspiracy  what the Byzantine validators of one run know of each other, and what really hit a correct one
registry    behaviours by name, and who is Byzantine in a seed

Each other file is one behaviour; its name is the one for the command line. An adversary has one
key, its own; its channels say who it is. Anything else it may try, and is refused.
"""
