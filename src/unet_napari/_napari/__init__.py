"""The docks: the only room that imports napari, Qt or magicgui, and it never imports torch."""
