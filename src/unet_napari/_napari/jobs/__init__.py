"""What the docks ask of the engine and of threads, and how the answers arrive.

They may import `layers` and `sections`.
"""
