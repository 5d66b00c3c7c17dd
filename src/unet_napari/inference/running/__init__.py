"""A plan carried out: parts are read ahead, computed, and written behind.

It may import all of `inference`.
"""
