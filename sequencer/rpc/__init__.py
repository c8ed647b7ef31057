"""Answer clients over HTTP: JSON-RPC, server-sent events, health and metrics.

queries      what a node must be able to tell; the node fulfils it
forms        JSON forms of the protocol's values, shared with the SDK
errors       the answers to wrong requests, each with its code
methods/     the table of methods, one file a subject
server       bounds, routes, dispatch
"""
