"""Corrections of a prediction, made with the mouse and the keys, that become paint.

It may import `layers` and `widgets`.
"""
