"""Run a replica on a real machine: the only place where trio meets the core.

home        the directory of one node: settings, genesis, keys
driver      hand events to the replica, perform its effects; inbox, outbox and clock beside it
border      names and bytes outside, validators and messages inside; gossip, followers
reports     what became durable, told to subscribers and to the event log
queries     answer RPC; metrics
node        all of it joined; process: signals and exit status
"""
