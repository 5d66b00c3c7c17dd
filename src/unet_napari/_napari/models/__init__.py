"""The window in which the user's models are looked at, renamed, duplicated and thrown away.

It may import `widgets` and `tasks.kinds`.
"""
