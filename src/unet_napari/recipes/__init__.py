"""What was done, as a program and as a command that do it again. No torch, no Qt.

It may import `training`, `inference`, `model`, `collection`, `labels` and `images`.
"""
