"""Several devices share the batch of a step: the same training, in less time.

It may import `networks`, `tasks`, `inference.backends`, `system`, `training.batch_loss`,
`training.config`, `training.data` and `training.learner`.

The training itself stays in one process, the *leader*: it alone reads, draws, judges, updates the
weights and saves. For each further device there is a *helper*, a process that gets the weights and
a share of the batch in every step, and gives its share of the gradient. ``helper`` is its program.
"""
