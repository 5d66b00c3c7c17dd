"""What a prediction keeps meanwhile: in memory, on disk, and beside an unfinished output.

It may import `model`, `images` and `system`.
"""
