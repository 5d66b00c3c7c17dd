"""Everything that is decided before the first step: task, network, patch and batch.

It may import all of `training`, and `inference.backends`.
"""
