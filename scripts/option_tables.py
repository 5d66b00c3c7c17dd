"""Write the tables of all options into the page about the command line, from the configs.

A test compares the page with them. Usage: python scripts/option_tables.py
"""

from __future__ import annotations

import re
from pathlib import Path

from unet_napari.inference.config import CellThresholds, InferenceConfig
from unet_napari.options import Config, ConfigField, Door, HostConfig, ReadingConfig, options_of
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.augment_config import AugmentConfig

PAGE = "docs/guide/command-line.md"
CONFIGS = {
    config.__name__: config
    for config in (
        *(ReadingConfig, InferenceConfig, CellThresholds),
        *(TrainConfig, AugmentConfig, HostConfig),
    )
}
_HEAD = "| Python | command line | dock | default | what it is |\n|---|---|---|---|---|"


def table(config: type[Config]) -> str:
    """Return the options of a config as a table in Markdown."""
    return "\n".join([_HEAD, *(_row(config, field) for field in options_of(config).values())])


def with_tables(page: str) -> str:
    """Return a page whose tables, between their marks, are those of the configs."""

    def fill(found: re.Match[str]) -> str:
        return f"{found[1]}\n{table(CONFIGS[found[2]])}\n{found[3]}"

    pattern = r"(<!-- options of (\w+) -->)\n.*?(<!-- end -->)"
    return re.sub(pattern, fill, page, flags=re.DOTALL)


def _row(config: type[Config], field: ConfigField) -> str:
    doors = field.option.doors
    flags = " ".join(f"`{flag}`" for flag in field.flags)
    if config is AugmentConfig:
        flags = f"`--augment {field.name}=`"
    cells = (
        f"`{field.name}`",
        flags if Door.COMMAND_LINE in doors else "",
        f"*{field.label[:1].upper()}{field.label[1:]}*" if Door.DOCK in doors else "",
        "" if field.default in (None, {}) or field.kind == "table" else f"`{field.default}`",
        f"{field.option.help} {_values(field)}".strip(),
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _values(field: ConfigField) -> str:
    """Return which values there are, unless that goes without saying."""
    if field.kind in ("switch", "text", "file", "scene", "table"):
        return ""
    return f"It must be {field.expected}."


if __name__ == "__main__":
    place = Path(__file__).parents[1] / PAGE
    place.write_text(with_tables(place.read_text("utf-8")), "utf-8")
