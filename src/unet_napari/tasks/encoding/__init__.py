"""From painted labels to what a network learns: boundaries and distances, on the device.

It may import nothing of ours, and it needs torch.
"""
