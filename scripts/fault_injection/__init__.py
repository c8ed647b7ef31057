"""Hurt a local network on purpose, one question a file, and say whether it kept its promises.

cluster    start a devnet, kill and restart its nodes, stop all of it
report     say what was seen, and with which command, commit and date
"""
