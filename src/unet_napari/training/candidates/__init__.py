"""Which weights of a training are kept: the best so far, or those that it started from.

It may import `evaluation`, `system`, `tasks`, `training.data`, `training.config`,
`training.events`, `training.judge`, `training.learner`, `training.tiling` and `training.verdict`.
"""
