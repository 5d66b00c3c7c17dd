"""What the modules of the package import, and what the docstrings of their rooms allow.

A room is a package, or a module at the top. Its docstring says in one sentence what it may import;
a package inside another may also import what that one may, and names which of its sisters it may.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "unet_napari"

#: Modules that each room may import without saying so: they import nothing of ours but each other.
FOUNDATION = frozenset(
    {
        "_lazy",
        "_version",
        "checks",
        "errors",
        "geometry",
        "options",
        "orientation",
        "records",
        "registry",
    }
)

#: The sentence of a package's docstring, and of a module's at the top, that is its list of imports.
MAY_IMPORT = re.compile(r"\b(?:It|They) may import ((?:[^`.;]|`[^`]*`)*)[.;]")


@dataclass(frozen=True)
class Module:
    """One Python file of the package.

    Attributes
    ----------
    name
        Dotted, without the name of the package: ``images.axes``; ``images`` for the ``__init__``.
    path
        The file.
    tree
        Its syntax.
    """

    name: str
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        """Name of the package that the module lies in; a module at the top is its own room."""
        if self.path.name == "__init__.py":
            return self.name
        return self.name.rpartition(".")[0] or self.name


def python_files(folder: Path) -> list[Path]:
    """Return the Python files below a folder, in order of their paths."""
    return sorted(file for file in folder.rglob("*.py") if "__pycache__" not in file.parts)


def read_modules(package: Path) -> dict[str, Module]:
    """Return the modules of a package by their dotted names."""
    modules = {}
    for file in python_files(package):
        parts = file.relative_to(package).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        modules[name] = Module(name, file, ast.parse(file.read_text("utf-8")))
    return modules


def imports(module: Module, modules: Mapping[str, Module]) -> dict[str, int]:
    """Return which of our modules one imports, each with the line of the first import.

    Imports that only type checkers read count, and so do those inside functions.
    """
    found: dict[str, int] = {}
    for node in ast.walk(module.tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [part if _short(part) in modules else str(node.module) for part in parts]
        for name in names:
            short = _short(name)
            if name.split(".")[0] == PACKAGE and short in modules and short != module.name:
                found.setdefault(short, node.lineno)
    return found


def circles(modules: Mapping[str, Module]) -> list[str]:
    """Return one line for each group of modules that import each other."""
    graph = {name: list(imports(module, modules)) for name, module in modules.items()}
    reached = {name: _reachable(graph, name) for name in graph}
    groups = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in graph
        if name in reached[name]
    }
    return [
        f"{' <-> '.join(_label(name) for name in group)}: a circle of imports; "
        "move what both need into a module below them"
        for group in sorted(groups)
    ]


def back_arrows(modules: Mapping[str, Module]) -> list[str]:
    """Return one line for each import that the docstring of a room does not allow."""
    lines = []
    for module in modules.values():
        home = modules[module.room]
        if not home.name:  # the names that the package offers come from everywhere
            continue
        try:
            allows = allowed_imports(home, modules)
        except ValueError as error:
            if module is home:
                lines.append(f"{_label(home.name)}: {error}")
            continue
        lines += [
            f"{_label(module.name)} -> {_label(other)}: the docstring of {_label(home.name)} does "
            f"not allow this import (line {line}); move what is needed to a room that it names"
            for other, line in imports(module, modules).items()
            if not allows(other)
        ]
    return lines


def allowed_imports(home: Module, modules: Mapping[str, Module]) -> Callable[[str], bool]:
    """Read which modules a room may import from its docstring, and those of the rooms around it.

    Parameters
    ----------
    home
        The package, or a module at the top, which is a room of its own.
    modules
        All modules of the package.

    Returns
    -------
    callable
        Whether the module of a name may be imported from that room.

    Raises
    ------
    ValueError
        The sentence "It may import ..." is missing, or names what does not exist.
    """
    if home.name in FOUNDATION:
        return lambda name: _within(name, FOUNDATION)
    always = {home.name, *FOUNDATION}
    rules = [(home.name, *_sentence(home, modules))]
    around = home.name.rpartition(".")[0]
    while around:
        rules.append((around, *_sentence(modules[around], modules)))
        around = around.rpartition(".")[0]

    def allows(name: str) -> bool:
        return _within(name, always) or any(
            _within(name, named) != everything_but and not _within(name, {room})
            for room, everything_but, named in rules
        )

    return allows


def _sentence(home: Module, modules: Mapping[str, Module]) -> tuple[bool, set[str]]:
    """Return whether a room names what it may not import, and the rooms that it names."""
    text = " ".join((ast.get_docstring(home.tree) or "").split())
    found = MAY_IMPORT.search(text)
    if found is None:
        raise ValueError("the docstring lacks the sentence 'It may import `...` and `...`.'")
    rooms: set[str] = set()
    if found[1].startswith("nothing"):
        return False, rooms
    for name in re.findall(r"`+([^`]+)`+", found[1]):
        sister = f"{home.name.rpartition('.')[0]}.{name}"
        if not {sister, name} & modules.keys():
            raise ValueError(f"the docstring names `{name}`, which does not exist")
        rooms.add(sister if sister in modules else name)
    return found[1].startswith("everything but"), rooms


def _within(name: str, rooms: Iterable[str]) -> bool:
    """Return whether a module is one of some rooms or lies in one."""
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def _short(name: str) -> str:
    """Return the name of one of our modules without the package; others keep theirs."""
    return "" if name == PACKAGE else name.removeprefix(f"{PACKAGE}.")


def _label(name: str) -> str:
    """Return what a module is called in the output."""
    return name or PACKAGE


def _reachable(graph: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """Return the modules that a chain of one or more imports leads to."""
    reached: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += graph[name]
    return reached
