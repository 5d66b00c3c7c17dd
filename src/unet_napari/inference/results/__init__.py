"""Where a result comes from: its record, told in words, and made again.

It may import all of `inference`.
"""
