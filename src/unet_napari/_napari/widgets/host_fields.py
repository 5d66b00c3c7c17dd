"""The fields that say which computer computes."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCompleter

from unet_napari._napari.widgets.form import FormRows
from unet_napari._napari.widgets.option_fields import OptionFields
from unet_napari.engine.remote.host import RemoteHost, hosts_in_config
from unet_napari.options import HostConfig, naming, options_of

__all__ = ["HostFields"]


class HostFields:
    """Fields for another computer; the hosts that OpenSSH knows are offered.

    Parameters
    ----------
    rows : FormRows
        The folded group that they are added to.
    """

    def __init__(self, rows: FormRows) -> None:
        self._options = OptionFields(HostConfig)
        self._options.place_groups(rows, "Computing")
        for name, text in (("host", "this computer"), ("host_python", "python")):
            self._options[name].native.setPlaceholderText(text)
        self._options["host_folders"].native.setPlaceholderText("none")
        hosts = QCompleter(hosts_in_config(), self._options["host"].native)
        hosts.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        hosts.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._options["host"].native.setCompleter(hosts)

    def host(self) -> RemoteHost | None:
        """Return the computer that is asked for; None for this one.

        Raises
        ------
        SettingsError
            If a field does not hold what it should.
        """
        with naming(self._options.called):
            return RemoteHost.from_config(HostConfig(**self._options.values()))

    def follow(self, other: "HostFields") -> None:
        """Take over what another dock says."""
        for name in options_of(HostConfig):
            self._options[name].value = other._options[name].value
