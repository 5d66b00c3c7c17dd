"""The engine process, and the jobs that it does: ``python -m unet_napari.engine.worker``.

It may import everything but `_napari`, `cli` and `api`.
"""
