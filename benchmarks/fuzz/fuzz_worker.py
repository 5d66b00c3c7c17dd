"""Reads spoilt files one after the other, and says what came of each; started by fuzz_readers.py.

One line of JSON on stdin asks for a file, one on stdout answers. The process may take 1 GiB more
than it had after its first files; what asks for more fails there, and is found in the chain of
causes also where a reader made a readable error of it.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

from unet_napari.errors import UnetNapariError
from unet_napari.images import read_image
from unet_napari.model.description import describe_model
from unet_napari.model.info import read_info, read_storage, read_thumbnail
from unet_napari.model.model import Model

_ROOM = 2**30
_PIXELS = 128  # along each axis, of the corners that are read


def main() -> None:
    """Answer until stdin ends."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        request = json.loads(line)
        if request["kind"] == "limit":
            _limit()
            answer: dict[str, Any] = {"result": "limited"}
        else:
            answer = _try(request["kind"], Path(request["path"]))
        print(json.dumps(answer), flush=True)


def _limit() -> None:
    """Allow a gibibyte beyond what is in use now, threads and libraries included."""
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = used * resource.getpagesize() + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _try(kind: str, path: Path) -> dict[str, Any]:
    faulthandler.dump_traceback_later(9)  # where a hang is, on stderr
    try:
        _read_model(path) if kind == "model" else _read_image(path)
    except UnetNapariError as error:
        starved = _starved(error)
        return _finding("allocation", starved) if starved else {"result": "refused"}
    except MemoryError as error:
        return _finding("allocation", error)
    except Exception as error:
        return _finding("traceback", error)
    finally:
        faulthandler.cancel_dump_traceback_later()
    return {"result": "read"}


def _read_image(path: Path) -> None:
    image = read_image(path)
    first = {"T": 0} if image.frames > 1 else {}
    last = {"T": image.frames - 1} if image.frames > 1 else {}
    for corner, view in (("low", image.select(**first)), ("high", image.select(**last))):
        view.read(tuple(_corner(size, corner) for size in view.shape))


def _corner(size: int, corner: str) -> slice:
    return slice(0, _PIXELS) if corner == "low" else slice(max(0, size - _PIXELS), size)


def _read_model(path: Path) -> None:
    describe_model(read_info(path))
    read_storage(path)
    read_thumbnail(path)
    Model.load(path)


def _starved(error: BaseException) -> BaseException | None:
    """Return the want of memory that an error was made of."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _finding(result: str, error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f"{Path(f.filename).name}:{f.name}" for f in frames if "unet_napari" in f.filename]
    last = frames[-1] if frames else None
    place = f"{Path(last.filename).name}:{last.name}" if last else "?"
    return {
        "result": result,
        "signature": f"{type(error).__name__} in {place} < {ours[-1] if ours else '?'}",
        "text": "".join(traceback.format_exception(error))[-6000:],
    }


if __name__ == "__main__":
    main()
