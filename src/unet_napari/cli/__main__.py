"""Let ``python -m unet_napari.cli`` do what ``unet-napari`` does."""

import sys

from unet_napari.cli import main

if __name__ == "__main__":
    sys.exit(main())
