"""The computer: files written whole, disks, devices, memory, and sizes in words.

It may import nothing of ours.
"""
