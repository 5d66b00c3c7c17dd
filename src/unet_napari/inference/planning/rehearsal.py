"""Networks rehearsed: run on an empty batch, where every layer runs and nothing is computed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Observer"]


class _Dispatch(ABC):
    # Apart from `Observer`, because torch wraps this method where a class of its own defines it,
    # and then imports its compiler when it is called, for 1.5 s. So do tensors without data
    # (torch's meta device), which is why rehearsals take an empty batch.

    def __init__(self) -> None:
        super().__init__()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401  torch's own signature
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        result = func(*args, **(kwargs or {}))
        self.observe(func, args, kwargs or {}, result)
        return result

    @abstractmethod
    def observe(
        self,
        operation: Any,  # noqa: ANN401  torch has no public type for it
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,  # noqa: ANN401
    ) -> None:
        """Take note of an ATen operation that has been called."""


class Observer(_Dispatch, TorchDispatchMode):
    """A context in which `observe` is told of every ATen operation."""
