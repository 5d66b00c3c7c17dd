"""What the computer offers: files written whole, disks, devices, memory, sizes in words.

It may import nothing of ours.
"""
