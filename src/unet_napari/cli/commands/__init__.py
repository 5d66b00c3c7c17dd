"""The commands of ``unet-napari``: one module each, with its options and what it does.

They may import all of `cli`, `api`, and `_napari`, which knows the names of the docks.
"""
