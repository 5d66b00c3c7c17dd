"""From painted images to patches: checked, split, sampled and varied at random.

It may import `training.config` and `training.tiling`.
"""
