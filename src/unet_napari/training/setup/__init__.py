"""Everything that is decided before the first step: task, network, patch and batch.

It may import `training.data` and everything that a training consists of.
"""
