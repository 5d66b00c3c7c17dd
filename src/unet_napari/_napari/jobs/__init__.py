"""Work beside Qt's thread: the engine as a Qt object, short work in threads, what is warmed up.

They import no other room of `_napari`.
"""
