"""What computes the network, and which device does.

It may import `inference.streaming`.
"""
