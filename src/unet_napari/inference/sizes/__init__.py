"""The scale at which an image is segmented, by the sizes of its objects.

It may import all of `inference`.
"""
