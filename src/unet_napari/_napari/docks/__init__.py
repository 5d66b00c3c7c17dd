"""The two docks, and how they live in napari's window.

It may import all other rooms of `_napari` and `tasks.kinds`.
"""
