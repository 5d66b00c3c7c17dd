"""From painted labels to what a network learns: boundaries and distances, on the device.

It imports torch and nothing else of ours.
"""
