"""The loop of a training: its steps, its curve, what is chosen, and when it rests.

It may import `networks`, `system` and all of `training` but its trainer and `state`.
"""
