"""A list of images: the files of a folder, the labels of each, and what is kept about them.

No torch, no Qt. It may import `images`, `labels` and `system`.
"""
