"""The file formats: one module reads or writes one of them, and `names` lists them all.

It may import `images.axes`, `images.image`, `images.units` and `images.thumbnail`; no torch.
"""
