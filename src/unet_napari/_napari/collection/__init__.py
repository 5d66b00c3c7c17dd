"""The list of images: one after the other with its labels, saved without being asked.

It may import `jobs`, `layers`, `live`, `runs`, `sections` and `widgets`.
"""
