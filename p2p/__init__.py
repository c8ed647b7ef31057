"""Carry bytes between authenticated peers; know channels and protocols, never consensus.

`network` is the interface, `memory` joins several endpoints inside one program, `libp2p_network` is
the real thing. Nothing here imports the rest of the project. The wire is stated in `specs/p2p.md`.

    libp2p_network ─ joins ─┬─ host ─ connection, tcp      one libp2p host: bind, accept, dial, close
                            ├─ session ─ outgoing, framing, credit   one channel over one connection
                            ├─ peer                        sessions of one peer: up, messages, down
                            ├─ dialer ─ backoff            the side that dials
                            ├─ gossip ─ topic, budget      the topics on the open host
                            └─ admission                   who is served, who is banned
    protocols   ids, limits and times in one table         identity, addresses   names of hosts

Seven habits of libp2p 0.8 that break a validator, and what meets each:

    (a) gossip rate limit of 10/s per forwarder     off; budget of bytes per origin         gossip, budget
    (b) gossip queues of 32 that drop               512 per peer; delivery by validator     gossip
    (c) inbound slots are never given back          its accept path is never entered        host
    (d) a failed dial refuses the peer for 60 s     its dialer is never used                host, dialer
    (e) two-way bulk dead-locks the muxer           credit that fits into the sockets       credit, tcp
    (f) a frozen peer is never noticed,             heartbeats; close takes the socket away session, connection
        a cancelled write ruins the connection      and no write is ever cancelled otherwise
    (g) the receive window is not enforced          credit, bounds on streams and on bytes  session, connection
"""
