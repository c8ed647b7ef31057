"""Hold rollup state: versions that cost nothing to keep, writes that can be undone, roots that can be proven.

journal           a write set over a state, with mark and revert
state_tree        a state as an authenticated 16-ary tree; every version can be kept
proof             membership and absence under a tree's root
claim             what a key holds at a height, tied to its commitment
"""
