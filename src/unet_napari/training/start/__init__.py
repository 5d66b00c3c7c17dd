"""Which model a training starts from: the one asked for, or the one that fits what is painted.

It may import `model`, `networks`, `tasks`, `training.budget`, `training.config`,
`training.data`, `training.events`, `training.learner` and `training.setup`.
"""
