"""What users paint: which pixels say something, what is wrong with them, how large cells are.

It may import `images` and `system`; no torch.
"""
