"""Fuzz the readers: real files, spoilt at random, must be read or refused in one clear error.

    python benchmarks/fuzz/fuzz_readers.py DATA [--seconds 60] [--seed 0] [--kind tiff] [--keep DIR]
    python benchmarks/fuzz/fuzz_readers.py DATA --seed 0 --kind all --case 1234 --keep DIR

DATA are files or folders whose TIFFs are spoilt; the zarrs, pictures and models are made here.
A finding is an error other than those meant for users, a crash, ten seconds without an answer, or a
want of more than a gibibyte. Its file is kept, with the traceback beside it; the second form makes
one case again. Exit status 1 means that something was found. Linux only.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

from fuzz_mutations import mutate
from fuzz_sources import KINDS, sources_of

_PATIENCE = 10.0  # seconds of computing; of waiting, six times that on a busy machine
_KEPT = 3  # files of findings that look alike


class Worker:
    """A process that reads files; a new one takes its place when it dies or hangs."""

    def __init__(self, examples: dict[str, list[Path]], log: Path) -> None:
        self._examples, self._log = examples, log
        self._start()

    def _start(self) -> None:
        script = Path(__file__).with_name("fuzz_worker.py")
        environment = os.environ | {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            env=environment,
            text=True,
        )
        for kind, paths in self._examples.items():  # what is loaded and started now is no finding
            self._ask({"kind": kind, "path": str(paths[0])}, 600)
        self._ask({"kind": "limit"}, 60)

    def read(self, kind: str, path: Path) -> dict[str, Any]:
        """Return what came of reading a file."""
        before = self._computed()
        answer = self._ask({"kind": kind, "path": str(path)}, _PATIENCE, before)
        if answer is None:
            died = self._process.poll()
            self.close()
            text = self._log.read_text(errors="replace")[-6000:]
            self._start()
            result = "hang" if died is None else f"crash {died}"
            lines = [line.strip() for line in text.splitlines() if "unet_napari" in line]
            return {"result": result, "signature": lines[0] if lines else "?", "text": text}
        return answer

    def _ask(
        self, request: dict[str, Any], patience: float, before: float = 0.0
    ) -> dict[str, Any] | None:
        """Return the answer; None if the process died or computed for longer than allowed."""
        assert self._process.stdin is not None  # noqa: S101  made with pipes
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        started = time.monotonic()
        while time.monotonic() - started < 6 * patience:
            if select.select([self._process.stdout], [], [], 1.0)[0]:
                line = self._process.stdout.readline()
                return json.loads(line) if line else None
            if self._computed() - before > patience:
                return None
        return None

    def _computed(self) -> float:
        """Return the seconds that the process has computed for."""
        try:
            text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        except OSError:
            return 0.0
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def main() -> int:
    """Fuzz for a while and say what was found."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        scratch = Path(name)
        kinds = KINDS if arguments.kind == "all" else (arguments.kind,)
        examples = sources_of(kinds, arguments.data, scratch / "sources", arguments.largest)
        counts: Counter[str] = Counter()
        with Worker(examples, scratch / "stderr") as worker:
            end = time.monotonic() + arguments.seconds
            case = arguments.case or 0
            last = math.inf if arguments.cases is None else case + arguments.cases
            while time.monotonic() < end and case < last:
                kind, target = _make(arguments.seed, case, examples, scratch)
                answer = worker.read(kind, target)
                _count(counts, kind, answer, case, target, arguments.keep)
                shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
                case += 1
    return _report(counts, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("data", nargs="*", type=Path, help="TIFF files, or folders that hold them")
    add("--seconds", type=float, default=3600)
    add("--seed", type=int, default=0)
    add("--kind", choices=(*KINDS, "all"), default="all")
    add("--keep", type=Path, default=Path("fuzz"), help="folder for what was found (default: fuzz)")
    add("--case", type=int, help="make this case alone")
    add("--largest", type=int, default=2**22, help="bytes of a source; larger ones are left out")
    add("--cases", type=int, metavar="N", help="end after so many")
    arguments = parser.parse_args()
    arguments.cases = 1 if arguments.case is not None else arguments.cases
    return arguments


def _make(seed: int, case: int, examples: dict[str, list[Path]], folder: Path) -> tuple[str, Path]:
    """Write the file of a case, which its number decides; return its kind and its place."""
    rng = random.Random(f"{seed}-{case}")  # noqa: S311
    kind = rng.choice(list(examples))
    source = rng.choice(examples[kind])
    target = folder / f"case{source.suffix}"
    mutate(rng, kind, source, examples[kind], target)
    return kind, target


def _count(
    counts: Counter[str], kind: str, answer: dict[str, Any], case: int, target: Path, keep: Path
) -> None:
    counts["cases"] += 1
    counts[answer["result"]] += 1
    if "signature" not in answer:
        return
    answer["signature"] = answer["signature"].replace(str(target.parent), "")
    title = f"{kind}: {answer['result']}: {answer['signature']}"
    counts[title] += 1
    if counts[title] > _KEPT:
        return
    keep.mkdir(parents=True, exist_ok=True)
    name = keep / f"{kind}-{case}{target.suffix}"
    (shutil.copytree if target.is_dir() else shutil.copy)(target, name)
    Path(f"{name}.txt").write_text(f"case {case}: {title}\n\n{answer['text']}", encoding="utf-8")
    print(f"case {case}: {title}", flush=True)


def _report(counts: Counter[str], arguments: argparse.Namespace) -> int:
    simple = {key: number for key, number in counts.items() if ": " not in key}
    print(f"seed {arguments.seed}: {simple}")
    found = {key: number for key, number in counts.items() if ": " in key}
    for title, number in sorted(found.items(), key=lambda item: -item[1]):
        print(f"  {number} x {title}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
