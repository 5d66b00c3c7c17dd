"""What all processes have in common that this program starts."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

__all__ = ["detached"]


def detached() -> dict[str, Any]:
    """Keep Ctrl+C in the terminal, and a console window, away from a process; for `Popen`."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        return {"creationflags": flags}
    return {"start_new_session": True}
