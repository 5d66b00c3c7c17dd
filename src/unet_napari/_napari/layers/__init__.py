"""napari's layers: where they lie, whose they are, and how results become layers.

They import neither widgets nor docks.
"""
