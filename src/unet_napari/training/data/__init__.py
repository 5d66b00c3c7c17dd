"""From painted images to patches: checked, split, sampled and varied at random.

It may import `images`, `labels`, `model` and `training.config`.
"""
