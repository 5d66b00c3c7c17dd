"""Sizes and durations in words. Free of torch."""

from __future__ import annotations

__all__ = ["human_size", "human_time"]


def human_size(size: float) -> str:
    """Write a number of bytes: ``0.3 MiB``, ``310 MiB``, ``1.4 GiB``."""
    if size >= 2**30:
        return f"{size / 2**30:.1f} GiB"
    digits = 0 if size >= 10 * 2**20 else 1
    return f"{size / 2**20:.{digits}f} MiB"


def human_time(seconds: float) -> str:
    """Write a duration as a person would say it: ``45 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
