"""The program as the command line runs it."""

from unet_napari.cli import main


def run(*words):
    """Run a command and return its exit status."""
    return main([str(word) for word in words])
