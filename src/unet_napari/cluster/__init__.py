"""A segmentation on many machines, through Dask: an image in regions, or many images.

It may import `folder_run`, `inputs`, `inference`, `model`, `tasks`, `images` and `system`.
Workers are given names of files, numbers and boxes. What else they need lies in the folder beside
the output, which all of them see: the model file, the settings, the maps and the numbers of the
objects. Nothing of it imports Dask unless it is used.
"""
