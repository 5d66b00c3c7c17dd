"""Fields and windows that know nothing of a training or a segmentation.

They may import `layers`.
"""
