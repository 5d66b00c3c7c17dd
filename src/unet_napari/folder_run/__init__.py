"""Many images segmented in one go: result files, one table of objects, and a line for each image.

It may import `inputs`, `evaluation`, `inference`, `model`, `labels`, `images`, `tasks` and
`system`. `folder_steps` is what the command line and the engine drive; `image_line` is free of
torch, for the napari side.
"""
