"""The living training: strokes that join it, how it goes on after a Stop, the model's versions.

It may import `jobs`, `layers`, `runs`, `sections`, `widgets` and `tasks.kinds`.
"""
