"""A part of an image that the user names or draws, segmented as it is in the whole image.

It may import all of `inference`.
"""
