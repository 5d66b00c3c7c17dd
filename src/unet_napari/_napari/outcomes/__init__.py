"""What is done with a result in a dock: measured, compared with other labels, told as code.

It may import all other rooms of `_napari` but `docks`.
"""
