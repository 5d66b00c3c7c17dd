"""An end for the tasks that zarr leaves unfinished after a damaged chunk."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import sys
import traceback
from pathlib import Path

__all__ = ["settle"]

# Time in which chunks that were being read are decoded, damaged or not.
_MOST_SECONDS = 5.0


def settle() -> None:
    """Wait for the chunks that zarr was reading when one of them failed.

    zarr reads the chunks of a region together and leaves the others to themselves after the first
    error. asyncio would then report each of hundreds of them with a traceback, after our message
    that says everything.
    """
    core = sys.modules.get("zarr.core.sync")
    loop = (getattr(core, "loop", None) or [None])[0]
    if loop is None or not loop.is_running():
        return
    logger = logging.getLogger("asyncio")
    if _is_not_zarrs not in logger.filters:
        logger.addFilter(_is_not_zarrs)
    with contextlib.suppress(concurrent.futures.TimeoutError):
        asyncio.run_coroutine_threadsafe(_end_of_others(), loop).result(_MOST_SECONDS)


async def _end_of_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


def _is_not_zarrs(record: logging.LogRecord) -> bool:
    """Tell whether a report of asyncio is about other tasks than those of zarr."""
    message = record.getMessage()
    if not ("was destroyed" in message or "never retrieved" in message):
        return True
    error = record.exc_info[1] if record.exc_info else None
    frames = traceback.walk_tb(error.__traceback__ if error else None)
    files = [frame.f_code.co_filename for frame, _ in frames]
    return not ("concurrent_map" in message or any("zarr" in Path(file).parts for file in files))
