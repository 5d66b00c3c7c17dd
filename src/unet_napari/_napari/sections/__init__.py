"""Parts of a dock that have a life of their own, such as what is said of the paint.

It may import `jobs`, `layers`, `widgets` and `tasks.kinds`.
"""
