"""What a prediction keeps meanwhile: in memory, on disk, and beside an unfinished output.

It may import `inference.config` and `inference.backends`.
"""
