"""How well a result agrees with the truth: objects, classes, and pictures for the eye.

It may import `images`; no torch.
"""
