"""What tasks are, apart from their networks: names, painted labels, sampling, splitting, judging.

It may import nothing of ours; no torch, so that docks, command line and checks can use it.
"""
