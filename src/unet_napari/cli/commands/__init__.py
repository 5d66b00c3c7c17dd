"""The commands of ``unet-napari``: one module each, with its options and what it does.

They may import `cli` and everything but the docks, of which `demo` opens one.
"""
