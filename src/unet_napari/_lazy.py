"""Packages whose names are loaded when they are first used, so that importing them is instant."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["lazy"]


def lazy(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and ``__dir__`` (PEP 562) of a package.

    Parameters
    ----------
    package
        Its ``__name__``.
    homes
        The module inside the package that each lazily loaded name comes from.
    """

    def load(name: str) -> Any:  # noqa: ANN401  a module attribute has any type
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    def names() -> list[str]:
        return sorted(sys.modules[package].__all__)

    return load, names
