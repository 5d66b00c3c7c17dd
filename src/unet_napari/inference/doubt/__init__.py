"""How far each object of a segmentation is to be doubted, and why.

It may import all of `inference`, and `evaluation`.
"""
