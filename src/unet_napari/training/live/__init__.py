"""What makes a training live: paint that joins while it runs, and rest when nothing changes.

It may import `labels`, `tasks`, `training.data`, `training.setup.working_scale`,
`training.held_out` and `training.config`.
"""
