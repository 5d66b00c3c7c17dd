"""The fields that say which computer computes."""

from contextlib import suppress

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCompleter

from unet_napari._napari.widgets.form import FormRows
from unet_napari._napari.widgets.option_fields import OptionFields
from unet_napari.engine.remote.host import RemoteHost, hosts_in_config
from unet_napari.engine.used_hosts import note_host, used_hosts
from unet_napari.errors import OutputError
from unet_napari.options import HostConfig, naming, options_of

__all__ = ["HostFields"]


class HostFields:
    """Fields for another computer; hosts that were used, and those of OpenSSH, are offered.

    A host that was used brings its Python and its folders with it.

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
        self._used = {used.host: used for used in used_hosts() if used.host}
        self._asked: HostConfig | None = None  # what is to be remembered when it works
        names = list(dict.fromkeys([*self._used, *hosts_in_config()]))
        hosts = QCompleter(names, self._options["host"].native)
        hosts.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        hosts.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._options["host"].native.setCompleter(hosts)
        hosts.activated.connect(self._complete)
        self._options["host"].native.editingFinished.connect(self._complete)

    def host(self) -> RemoteHost | None:
        """Return the computer that is asked for; None for this one.

        Raises
        ------
        SettingsError
            If a field does not hold what it should.
        """
        with naming(self._options.called):
            config = HostConfig(**self._options.values())
            host = RemoteHost.from_config(config)
        self._asked = None if host is None else config
        return host

    def remember(self) -> None:
        """Keep the host that was asked for, as it computes, for the next session."""
        config, self._asked = self._asked, None
        if config is not None and config.host:
            self._used[config.host] = config
            with suppress(OutputError):  # it is not worth an interruption
                note_host(config)

    def _complete(self, *_: object) -> None:
        """Fill in Python and folders of a host that was used, unless others were typed."""
        used = self._used.get(self._options["host"].value.strip())
        others = ("host_python", "host_folders")
        typed = [self._options[name].value for name in others]
        filled = [_texts(known)[1:] for known in self._used.values()]
        if used is not None and typed in (["", ""], *filled):
            for name, text in zip(others, _texts(used)[1:], strict=True):
                self._options[name].value = text

    def follow(self, other: "HostFields") -> None:
        """Take over what another dock says."""
        for name in options_of(HostConfig):
            self._options[name].value = other._options[name].value


def _texts(config: HostConfig) -> list[str]:
    """Return what the fields hold for a host: address, Python, folders."""
    python = "" if config.host_python == HostConfig().host_python else config.host_python
    return [config.host or "", python, config.host_folders or ""]
