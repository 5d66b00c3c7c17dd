"""A network evaluated strip by strip, so that its memory does not grow with the image.

It may import `inference.planning.calls` and `inference.planning.cost`.
"""
