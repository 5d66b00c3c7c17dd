"""Which hosts have computed, remembered beside the models, so that they are offered again.

What is kept are the settings of a `HostConfig`: addresses, commands and folders, and no secret.
Free of torch.
"""

from __future__ import annotations

import json

from unet_napari.errors import UnetNapariError
from unet_napari.model.info import files_beside_models, models_folder
from unet_napari.options import HostConfig
from unet_napari.system.atomic import open_atomic

__all__ = ["note_host", "used_hosts"]

_ENDING = ".hosts"
_MOST = 10  # hosts that are remembered
_MOST_BYTES = 1 << 16


def used_hosts() -> list[HostConfig]:
    """Return the hosts that were used, the latest first; none if the file is damaged."""
    found = files_beside_models(_ENDING)
    if not found:
        return []
    try:
        with found[0].open("rb") as file:
            settings = json.loads(file.read(_MOST_BYTES))
        hosts = [HostConfig.from_dict(values) for values in settings]
    except (OSError, ValueError, TypeError, AttributeError, UnetNapariError):
        return []
    return [host for host in hosts if host.host]


def note_host(config: HostConfig) -> None:
    """Remember a host as the latest, in place of what was remembered of its address.

    Raises
    ------
    OutputError
        If that cannot be written.
    """
    others = [other for other in used_hosts() if other.host != config.host]
    text = json.dumps([one.to_dict() for one in [config, *others][:_MOST]], indent=1)
    with open_atomic(models_folder() / f"computing{_ENDING}") as file:
        file.write(text.encode())
