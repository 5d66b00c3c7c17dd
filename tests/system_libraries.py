"""Install what Qt, a virtual screen and a server of SSH need from Debian, where it may.

Run by tox before the tests. On another system it says what a person would have to provide.
"""

import ctypes.util
import os
import shutil
import subprocess
import sys

WINDOW_PACKAGES = (
    *("xvfb", "libgl1", "libegl1", "libgl1-mesa-dri", "libxkbcommon-x11-0", "libxcb-cursor0"),
    *("libxcb-icccm4", "libxcb-image0", "libxcb-keysyms1", "libxcb-randr0"),
    *("libxcb-render-util0", "libxcb-shape0", "libxcb-xinerama0", "libdbus-1-3"),
)
LIBRARIES = ("GL", "EGL", "xkbcommon-x11", "xcb-cursor", "xcb-icccm", "dbus-1")
# The tests of another computer run against a server of this one, and are skipped without.
SSH_PACKAGES = ("openssh-server", "openssh-client")


def missing_for_windows() -> list[str]:
    """Name what the window tests need and cannot be found."""
    found = [] if shutil.which("xvfb-run") else ["xvfb-run"]
    return found + [name for name in LIBRARIES if ctypes.util.find_library(name) is None]


def has_ssh() -> bool:
    """Tell whether there are a client and a server of SSH; servers are not on everybody's path."""
    server = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
    return shutil.which("ssh") is not None and server is not None


def main() -> None:
    """Install the packages, or say which are missing."""
    if not sys.platform.startswith("linux"):
        return
    missing = missing_for_windows()
    wanted = [*(WINDOW_PACKAGES if missing else ()), *(() if has_ssh() else SSH_PACKAGES)]
    if not wanted:
        return
    apt = shutil.which("apt-get")
    sudo = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if apt is None or (sudo and shutil.which("sudo") is None):
        if missing:
            sys.exit(
                f"The window tests need {', '.join(missing)}. On Debian: "
                f"{' '.join(WINDOW_PACKAGES)}"
            )
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-y", "-q", *wanted]):
        subprocess.run([*sudo, apt, *command], check=bool(missing), env=environment)


if __name__ == "__main__":
    main()
