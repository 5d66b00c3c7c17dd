"""The engine process: ``python -m unet_napari.engine.worker``, started by `EngineClient`.

It reads messages from stdin, runs one job at a time in its main thread and writes events to
stdout. It ends when stdin does, that is, when its client has gone. Started with a session on a
host, it is no engine process but the bridge to the session's attendant, see `bridge`.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import queue
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from unet_napari.engine.arrays import map_arrays, take
from unet_napari.engine.live_requests import PairAdded
from unet_napari.engine.protocol import (
    Cancel,
    Command,
    JobCancelled,
    JobEvent,
    JobFailed,
    JobFinished,
    Start,
    decode,
    encode,
)
from unet_napari.engine.remote.bridge import visit
from unet_napari.engine.shared import SharedFolder
from unet_napari.engine.worker.job_context import Cancelled, JobContext
from unet_napari.errors import UnetNapariError, UnetNapariWarning
from unet_napari.system.heap import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

__all__ = ["run_worker"]


class Worker:
    """The two threads of the engine process: one listens, the main one runs the jobs."""

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO, folder: SharedFolder) -> None:
        self._stdin, self._stdout = stdin, stdout
        self._folder = folder
        self._write_lock = threading.Lock()
        self._jobs: queue.SimpleQueue[tuple[JobContext, str]] = queue.SimpleQueue()
        self._context: JobContext | None = None

    def listen(self) -> None:
        """Receive messages until the client has gone; then end the process, whatever it does."""
        try:
            for line in self._stdin:
                self._receive(decode(line))
        except Exception:
            traceback.print_exc()
            os._exit(1)
        self._folder.close()
        os._exit(0)

    def run(self, module: str, *, trains: bool) -> None:
        """Import the jobs, which takes seconds, and run those that arrive."""
        warnings.simplefilter("always", UnetNapariWarning)  # also the second job's
        warnings.showwarning = self._warn
        jobs, problem = _import_jobs(module)
        if problem is None and self._jobs.empty():
            _warm_up(module, trains=trains)
        gc.freeze()  # modules stay, and looking through all of torch after a job takes a second
        while True:
            context, description = self._jobs.get()
            with keep_freed_memory():
                end = problem or _run_job(jobs, context, description)
                if not isinstance(end, JobFinished):
                    context.discard()
                context.send(end)
                _let_go()

    def _receive(self, message: object) -> None:
        if isinstance(message, Start):
            self._context = JobContext(message.job_id, self._send, self._folder)
            self._jobs.put((self._context, message.job))
        elif isinstance(message, Cancel | Command):
            # The arrays of a pair belong to the client for as long as those of the job do.
            adds = isinstance(message, Command) and isinstance(message.command, PairAdded)
            owned = message if adds else map_arrays(message, take)
            if self._context is not None and self._context.job_id == message.job_id:
                self._context.receive(owned)

    def _send(self, event: JobEvent) -> None:
        line = encode(event).encode() + b"\n"
        with self._write_lock, suppress(BrokenPipeError):  # listen() is about to end us
            self._stdout.write(line)
            self._stdout.flush()

    def _warn(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """Show a warning, as ``warnings.showwarning``: what is for the user goes to the client."""
        if isinstance(message, UnetNapariWarning) and self._context is not None:
            self._context.warn(str(message))
        else:
            text = warnings.formatwarning(message, category, filename, lineno, line)
            print(text, end="", file=file or sys.stderr)


def _import_jobs(module: str) -> tuple[Mapping[type, Callable[..., Any]], JobFailed | None]:
    try:
        return importlib.import_module(module).RUNNERS, None
    except Exception as error:
        text = f"The engine cannot be used, as a package it needs is broken: {error}"
        return {}, JobFailed(text, user_error=True, details=traceback.format_exc())


def _warm_up(module: str, *, trains: bool) -> None:
    """Let the module of the jobs load the rest of what it needs."""
    try:
        sys.modules[module].warm_up_worker(trains=trains)
    except Exception:  # the first job that needs what is broken tells the user
        traceback.print_exc()


def _run_job(
    runners: Mapping[type, Callable[..., Any]], context: JobContext, description: str
) -> JobFinished | JobFailed | JobCancelled:
    """Run a job to its terminal event."""
    try:
        context.check()
        job = decode(description)
        return JobFinished(runners[type(job)](job, context))
    except Cancelled:
        return JobCancelled()
    except UnetNapariError as error:
        return JobFailed(str(error), user_error=True)
    except MemoryError:
        text = "There is not enough memory for this. Close other programs, or use smaller tiles."
        return JobFailed(text, user_error=True, details=traceback.format_exc())
    except Exception as error:
        text = f"Something went wrong inside unet-napari ({type(error).__name__}: {error})."
        return JobFailed(text, user_error=False, details=traceback.format_exc())


def _let_go() -> None:
    """Free what a finished job leaves behind, and memory of the GPU for its other users."""
    gc.collect()
    torch: ModuleType | None = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take stdin and stdout for messages; what libraries print goes to stderr."""
    stdin, stdout = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return stdin, stdout


def run_worker() -> None:
    """Run the engine process."""
    parser = argparse.ArgumentParser(description="The engine process of unet-napari.")
    parser.add_argument("--jobs", required=True, help="module with the jobs it can do")
    parser.add_argument("--trains", action="store_true", help="be ready for a training")
    parser.add_argument("--session", help="on a host: name of the session")
    parser.add_argument("--version", help="on a host: the client's version")
    parser.add_argument("--again", action="store_true", help="on a host: the session is there")
    parser.add_argument("--end", action="store_true", help="on a host: end the session")
    parser.add_argument("folders", nargs="*", help="the client's shared folders")
    arguments = parser.parse_args()
    pipes = _claim_pipes()
    if arguments.session is not None:
        visit(*pipes, arguments)
        return
    worker = Worker(*pipes, SharedFolder(tuple(arguments.folders)))
    threading.Thread(target=worker.listen, name="listen", daemon=True).start()
    worker.run(arguments.jobs, trains=arguments.trains)


if __name__ == "__main__":
    run_worker()
