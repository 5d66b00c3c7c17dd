"""napari's layers: where they lie, whose they are, and how results become layers.

It may import nothing else of `_napari`.
"""
