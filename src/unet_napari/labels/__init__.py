"""Painted labels: the pixels that training learns from, mistakes in them, sizes of cells.

It may import `images`, `system` and `tasks.kinds`; no torch.
"""
