"""The command line: ``unet-napari segment | train | evaluate | measure | info | reproduce ...``.

It may import everything but `_napari` and `api`.
Progress and messages go to stderr, results to files and stdout. Exit status 0 means that
every output is whole, 1 that some of several images could not be done, which are listed at the
end, 2 an error that the user can put right, told in one line.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

from unet_napari.cli.attempts import one_line
from unet_napari.cli.commands.count import add_count_command
from unet_napari.cli.commands.demo import add_demo_command
from unet_napari.cli.commands.doubt import add_doubt_command
from unet_napari.cli.commands.evaluate import add_evaluate_command
from unet_napari.cli.commands.export import add_export_command
from unet_napari.cli.commands.fit_thresholds import add_fit_command
from unet_napari.cli.commands.info import add_info_command
from unet_napari.cli.commands.measure import add_measure_command
from unet_napari.cli.commands.reproduce import add_reproduce_command
from unet_napari.cli.commands.segment import add_segment_command
from unet_napari.cli.commands.train import add_train_command
from unet_napari.errors import UnetNapariError, UnetNapariWarning
from unet_napari.system.heap import keep_freed_memory
from unet_napari.system.memory import NO_MEMORY

__all__ = ["main"]

_COMMANDS = (
    add_segment_command,
    add_train_command,
    add_evaluate_command,
    add_measure_command,
    add_doubt_command,
    add_count_command,
    add_fit_command,
    add_export_command,
    add_info_command,
    add_reproduce_command,
    add_demo_command,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; those of the process where not given.

    Returns
    -------
    int
        0: every output is whole. 1: some of several images could not be done, the others are.
        2: an error the user can put right. 130: interrupted.
    """
    parser = _parser()
    parsed = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UnetNapariWarning)
        warnings.showwarning = _show_warning
        try:
            with keep_freed_memory():
                return parsed.command(parsed) or 0
        except UnetNapariError as error:
            print(f"\nunet-napari: error: {one_line(error)}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("\nunet-napari: interrupted; no unfinished output is left.", file=sys.stderr)
            return 130
        except (MemoryError, RuntimeError) as error:
            from unet_napari.system.device import is_out_of_memory

            if not is_out_of_memory(error):
                raise
            print(f"\nunet-napari: error: {NO_MEMORY}", file=sys.stderr)
            return 2


def _parser() -> argparse.ArgumentParser:
    from unet_napari._version import __version__

    parser = argparse.ArgumentParser(
        prog="unet-napari",
        description="Train 2D and 3D U-Nets on painted labels and segment stacks of any size.",
    )
    parser.add_argument("--version", action="version", version=f"unet-napari {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add_command in _COMMANDS:
        add_command(commands)
    return parser


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"\nunet-napari: warning: {one_line(message)}", file=sys.stderr)
