"""From maps to objects, block by block, with the result of doing it all at once.

It may import nothing of ours; no torch.
"""
