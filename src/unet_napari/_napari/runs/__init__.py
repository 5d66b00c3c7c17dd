"""What a dock asks of the engine, and what becomes of the answers: requests, previews, layers.

They may import `jobs`, `layers`, `sections` and `widgets`.
"""
