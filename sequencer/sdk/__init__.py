"""The same methods from the client's side, with proofs checked.

building    bundles and signatures, without a node
client      one node or several, with failover and resending
finality    which transactions are final, proven block by block
"""
