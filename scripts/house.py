"""Print the figures of the house, and fail above their limits.

A stranger finds their way in small files and folders, where a name means one thing and imports run
downwards only. ``tox -e lint`` runs this program; it reads source text and imports nothing of ours.

Usage: python scripts/house.py [ROOT]
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from house_rooms import PACKAGE, Module, back_arrows, circles, python_files, read_modules
from reflow import pages, reflow

LINES_OF_A_FILE = 310
LINES_OF_A_FUNCTION = 60
FILES_OF_A_FOLDER = 15
FOLDERS = ("src", "tests", "benchmarks", "scripts", "examples", "docs")

#: Offences that are being mended: what stands before the colon of a line of the output.
#: An entry leaves this list with its offence, and none is added.
KNOWN: frozenset[str] = frozenset()

#: A program's entry, and what says of a module which of its names are public.
SHARED_NAMES = frozenset({"main", "__all__"})


def main(arguments: list[str]) -> int:
    """Print figures and offences; return 1 where there is an offence that is not known."""
    root = Path(arguments[0]) if arguments else Path(__file__).parents[1]
    figures, offences = inspect(root)
    for name, value in figures.items():
        print(f"{name:<48} {value}")
    new = [line for line in offences if line.partition(": ")[0] not in KNOWN]
    if len(offences) > len(new):
        print(f"{'offences that are known and being mended':<48} {len(offences) - len(new)}")
    print(*new, sep="\n", end="\n" if new else "")
    return 1 if new else 0


def inspect(root: Path) -> tuple[dict[str, int], list[str]]:
    """Measure a repository.

    Parameters
    ----------
    root
        Folder that holds ``src``.

    Returns
    -------
    figures
        Largest or total value of each measure.
    offences
        One line for each: what, where, and the remedy.
    """
    files = [file for folder in FOLDERS for file in python_files(root / folder)]
    modules = read_modules(root / "src" / PACKAGE)
    figures: dict[str, int] = {}
    offences: list[str] = []
    for name, limit, found in (
        ("lines of the longest file", LINES_OF_A_FILE, file_lengths(root, files)),
        ("lines of the longest function", LINES_OF_A_FUNCTION, function_lengths(root, files)),
        ("files of the fullest folder", FILES_OF_A_FOLDER, folder_sizes(root)),
    ):
        figures[f"{name} (at most {limit})"] = max((size for _, size, _ in found), default=0)
        offences += [f"{where}: {size} {words}" for where, size, words in found if size > limit]
    for name, lines in (
        ("public names that are defined more than once", shared_names(modules)),
        ("circles of imports", circles(modules)),
        ("pages with lines of two sentences", long_lines(root)),
        ("imports that a room's docstring does not allow", back_arrows(modules)),
    ):
        figures[f"{name} (none)"] = len(lines)
        offences += lines
    return figures, offences


def file_lengths(root: Path, files: Iterable[Path]) -> list[tuple[str, int, str]]:
    """Return each file with its number of lines, and what to do if that is too many."""
    words = f"lines; split the file into parts of at most {LINES_OF_A_FILE}, each with one purpose"
    return [
        (_relative(file, root), len(file.read_text("utf-8").splitlines()), words) for file in files
    ]


def function_lengths(root: Path, files: Iterable[Path]) -> list[tuple[str, int, str]]:
    """Return each function with its number of lines, docstring included."""
    words = f"lines; give a step of it a name of its own, so that {LINES_OF_A_FUNCTION} are enough"
    return [
        (f"{_relative(file, root)}, {node.name}", (node.end_lineno or 0) - node.lineno + 1, words)
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def folder_sizes(root: Path) -> list[tuple[str, int, str]]:
    """Return each folder with the number of its own files; an ``__init__.py`` is none."""
    words = f"files; put those that belong together into a sub-folder ({FILES_OF_A_FOLDER} at most)"
    sizes: dict[str, int] = defaultdict(int)
    for folder in FOLDERS:
        for file in (root / folder).rglob("*"):
            hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
            made = "__pycache__" in file.parts or file.name == "__init__.py"
            if file.is_file() and not (hidden or made):
                sizes[_relative(file.parent, root)] += 1
    return [(folder, size, words) for folder, size in sorted(sizes.items())]


def long_lines(root: Path) -> list[str]:
    """Return one line for each page that `reflow` would break in other places."""
    texts = ((page, page.read_text("utf-8")) for page in pages(root))
    return [
        f"{_relative(page, root)}: lines of two sentences; run python scripts/reflow.py"
        for page, text in texts
        if reflow(text) != text
    ]


def shared_names(modules: Mapping[str, Module]) -> list[str]:
    """Return one line for each public name that is defined at the top of several modules."""
    places: dict[str, list[str]] = defaultdict(list)
    for module in modules.values():
        for name in sorted(set(defined_names(module.tree.body))):
            if not name.startswith("_") and name not in SHARED_NAMES:
                places[name].append(module.name)
    return [
        f"{name}: defined in {' and '.join(where)}; import it from one, or name what differs"
        for name, where in sorted(places.items())
        if len(where) > 1
    ]


def defined_names(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the classes, functions, constants and aliases that statements of a module define."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
        elif isinstance(node, ast.If | ast.Try):
            yield from defined_names([*node.body, *node.orelse])


def _relative(path: Path, root: Path) -> str:
    """Return a path as it is written in the output, on every system alike."""
    return path.relative_to(root).as_posix()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
