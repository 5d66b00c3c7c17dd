"""Fields and windows that know nothing of a training or a segmentation.

It may import `layers` and `tasks.kinds`.
"""
