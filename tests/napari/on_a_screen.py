"""Run Python with a screen: ``python tests/napari/on_a_screen.py -m pytest tests/napari``.

On Linux the screen is a virtual one, so that windows neither need a display nor disturb one;
elsewhere it is that of the computer.
"""

import subprocess
import sys

XVFB = ("xvfb-run", "-a", "-s", "-screen 0 1600x1000x24")

if __name__ == "__main__":
    screen = XVFB if sys.platform.startswith("linux") else ()
    sys.exit(subprocess.run([*screen, sys.executable, *sys.argv[1:]], check=False).returncode)
