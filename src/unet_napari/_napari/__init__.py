"""The docks: the only room that imports napari, Qt or magicgui, and it never imports torch.

It may import everything but `cli`, `api`, `engine.worker` and `tasks`.
"""
