"""Work beside Qt's thread: the engine as a Qt object, short work in threads, what is warmed up.

It may import nothing else of `_napari`.
"""
