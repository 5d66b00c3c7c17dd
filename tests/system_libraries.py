"""Install what Qt, a virtual screen and a server of SSH need from Debian, where it may.

Run by tox before the tests. On another system it says what a person would have to provide.
"""

import ctypes.util
import os
import shutil
import subprocess
import sys

PACKAGES = (
    *("xvfb", "libgl1", "libegl1", "libgl1-mesa-dri", "libxkbcommon-x11-0", "libxcb-cursor0"),
    *("libxcb-icccm4", "libxcb-image0", "libxcb-keysyms1", "libxcb-randr0"),
    *("libxcb-render-util0", "libxcb-shape0", "libxcb-xinerama0", "libdbus-1-3"),
    *("openssh-server", "openssh-client"),
)
LIBRARIES = ("GL", "EGL", "xkbcommon-x11", "xcb-cursor", "xcb-icccm", "dbus-1")


def missing() -> list[str]:
    """Name what cannot be found."""
    programs = {"xvfb-run": None, "ssh": None, "sshd": "/usr/sbin"}
    found = [
        name
        for name, folder in programs.items()
        if not (shutil.which(name) or shutil.which(name, path=folder))
    ]
    return found + [name for name in LIBRARIES if ctypes.util.find_library(name) is None]


def main() -> None:
    """Install the packages, or say which are missing."""
    if not sys.platform.startswith("linux") or not missing():
        return
    apt = shutil.which("apt-get")
    sudo = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if apt is None or (sudo and shutil.which("sudo") is None):
        sys.exit(f"The tests need {', '.join(missing())}. On Debian: {' '.join(PACKAGES)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*sudo, apt, "update", "-q"], check=True, env=environment)
    subprocess.run([*sudo, apt, "install", "-y", "-q", *PACKAGES], check=True, env=environment)


if __name__ == "__main__":
    main()
