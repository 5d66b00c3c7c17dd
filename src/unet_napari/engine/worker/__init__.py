"""The engine process, and the jobs that it does: ``python -m unet_napari.engine.worker``.

It may import everything but the docks and the command line.
"""
