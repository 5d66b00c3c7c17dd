"""An option is declared once: every door has what its config claims, and nothing else."""

import argparse
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_type_hints

import pytest

from unet_napari.checks import Range
from unet_napari.cli import _parser
from unet_napari.cli.option_arguments import (
    add_options,
    given_options,
    naming_flags,
    shown_options,
)
from unet_napari.errors import SettingsError
from unet_napari.inference.config import CellThresholds, InferenceConfig
from unet_napari.keywords import InferenceKeywords, TrainKeywords
from unet_napari.options import (
    Config,
    Door,
    HostConfig,
    Option,
    OptionError,
    ReadingConfig,
    options_of,
)
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.augment_config import AugmentConfig

ROOT = Path(__file__).parents[2]
CONFIGS = (
    *(ReadingConfig, InferenceConfig, CellThresholds),
    *(TrainConfig, AugmentConfig, HostConfig),
)
COMMANDS = {
    "segment": (ReadingConfig, InferenceConfig, CellThresholds, HostConfig),
    "evaluate": (ReadingConfig, InferenceConfig),
    "train": (ReadingConfig, TrainConfig, HostConfig),
}
# What a command asks for besides settings: files that it reads and writes, and how it reports.
NO_SETTINGS = {
    "segment": {"images", "model", "output", "table", "attention", "list", "sheet", "verbose",
                "overwrite", "resume", "scheduler", "workers", "region", "scale"},
    "evaluate": {"images", "labels", "model", "against", "table", "sheet", "worst", "overwrite",
                 "scheduler", "workers", "scale"},
    "train": {"images", "labels", "annotated", "output", "start_from", "overwrite", "resume",
              "note", "show_augmentation", "no_augmentation", "scale"},
}  # fmt: skip

# The modules whose names the types of the keywords are made of.
NAMESPACES = (
    "unet_napari.keywords",
    "unet_napari.training.optimisation_config",
    "unet_napari.training.config",
    "unet_napari.inference.config",
)


@dataclass(frozen=True)
class SharperConfig(InferenceConfig):
    """A config that somebody has extended outside the package, by one field."""

    sharpness: Annotated[
        float,
        Option(help="Sharpen the image first. It is for tests.", group="Data", range=Range(0, 2)),
    ] = 0.5


def actions(command):
    """Return the arguments of a command by the names of their values."""
    commands = next(a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {a.dest: a for a in commands.choices[command]._actions if a.dest != "help"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_what_its_configs_claim_and_nothing_else(command):
    claimed = {name: f for config in COMMANDS[command] for name, f in shown_options(config).items()}
    found = actions(command)
    assert set(found) - NO_SETTINGS[command] == set(claimed)
    for name, field in claimed.items():
        assert tuple(found[name].option_strings) == field.flags
        assert found[name].default is None  # so that the config alone knows the defaults


@pytest.mark.parametrize("config", CONFIGS)
def test_every_field_is_described_in_whole_sentences_and_has_a_default_that_it_accepts(config):
    for name, field in options_of(config).items():
        assert field.option.help[0].isupper(), name
        assert field.option.help.endswith("."), name
        assert field.accepts(field.default), name
        assert {value for value, _ in field.texts} in (set(), set(field.choices)), name


def test_every_option_of_an_inference_is_in_every_door():
    fields = options_of(InferenceConfig)
    assert {name for name, f in fields.items() if f.option.doors != tuple(Door)} == set()


@pytest.mark.parametrize(
    ("keywords", "config"), [(InferenceKeywords, InferenceConfig), (TrainKeywords, TrainConfig)]
)
def test_the_keywords_of_the_public_functions_are_the_fields_of_the_configs(keywords, config):
    spaces = (vars(importlib.import_module(name)) for name in NAMESPACES)
    names = {key: value for space in spaces for key, value in space.items()}
    hints = get_type_hints(config)
    expected = {name: hints[name] for name in options_of(config)}
    assert get_type_hints(keywords, localns=names) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": 0}, "memory must be a whole number of at least 1, not 0."),
        ({"halo": "big"}, "halo must be exact, measured or a whole number of at least 0 pixels"),
        ({"diameter": 0}, "diameter must be auto, model or a number above 0 pixels, not 0."),
        ({"tile": (64, 0)}, "tile must be one whole number of at least 1 for each axis"),
        ({"tta": 1}, "tta must be true or false, not 1."),
        ({"device": None}, "device must be one of auto, cpu, cuda, mps, not None."),
    ],
)
def test_a_value_outside_its_range_is_told_in_one_style(settings, message):
    with pytest.raises(SettingsError, match=message):
        InferenceConfig(**settings)


def test_the_command_line_names_its_flags():
    with pytest.raises(OptionError) as caught, naming_flags(TrainConfig):
        TrainConfig(seconds=1, steps=3)
    assert str(caught.value) == "--time and --steps exclude each other: give only one of them."
    message = "^--augment rotation must be a number from 0 to 180"
    with pytest.raises(OptionError, match=message), naming_flags(TrainConfig):
        TrainConfig.from_dict({"augment": {"rotation": 200}})


def test_a_field_without_an_option_is_a_mistake_of_the_program():
    @dataclass(frozen=True)
    class Forgotten(Config):
        strength: float = 1.0

    with pytest.raises(TypeError, match=r"Forgotten\.strength needs one Option"):
        Forgotten()


def test_an_option_added_outside_the_package_is_on_the_command_line():
    parser = argparse.ArgumentParser()
    add_options(parser, SharperConfig)
    assert "--sharpness N" in parser.format_help()
    assert "Sharpen the image first (default: 0.5)." in parser.format_help()
    given = given_options(parser.parse_args(["--sharpness", "1.5", "--tta"]), SharperConfig)
    assert given == {"sharpness": 1.5, "tta": True}
    config = SharperConfig.from_dict(json.loads(json.dumps(SharperConfig(**given).to_dict())))
    assert config == SharperConfig(sharpness=1.5, tta=True)
    message = "^--sharpness must be a number from 0 to 2, not 3.0"
    with pytest.raises(OptionError, match=message), naming_flags(SharperConfig):
        SharperConfig(sharpness=3.0)


def test_the_tables_in_the_documentation_are_those_of_the_configs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    tables = importlib.import_module("option_tables")
    page = (ROOT / tables.PAGE).read_text("utf-8")
    assert tables.with_tables(page) == page, "run: python scripts/option_tables.py"


def test_an_option_that_is_added_appears_in_the_table(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    table = importlib.import_module("option_tables").table(SharperConfig)
    row = next(line for line in table.splitlines() if "`sharpness`" in line)
    assert "`--sharpness`" in row
    assert "Sharpen the image first. It is for tests." in row
