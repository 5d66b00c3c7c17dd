"""How an image is cut, decided before the prediction starts: what fits in memory, and is fast.

It may import `inference.backends` and `inference.streaming`.
"""
