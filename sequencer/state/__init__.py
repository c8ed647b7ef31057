"""Hold rollup state: versions that cost nothing to keep, writes that can be undone, roots that can be proven.

persistent_map    one version of a map, with O(1) snapshots
journal           a write set over a map, with mark and revert
state_tree        authenticated 16-ary tree over the same keys
proof             membership and absence under a tree's root
versioned         a map and its tree, advanced together
claim             what a key holds at a height, tied to its commitment
"""
