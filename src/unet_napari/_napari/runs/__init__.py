"""What a dock asks of the engine, and what becomes of the answers: requests, previews, layers.

It may import `jobs`, `layers`, `sections`, `widgets` and `tasks.kinds`.
"""
