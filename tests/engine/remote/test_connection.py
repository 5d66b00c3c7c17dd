"""Why a host cannot be used: one clear message each, with the remedy."""

import pytest

from unet_napari._version import __version__
from unet_napari.engine import JobFailed
from unet_napari.engine.remote.host import RemoteHost, hosts_in_config
from unet_napari.errors import SettingsError
from unet_napari.options import HostConfig

INSTALL = f"-m pip install unet-napari=={__version__}"


@pytest.mark.parametrize(
    ("said", "status", "expected"),
    [
        ("ssh: Could not resolve hostname server: Name or service not known", 255,
         "server cannot be reached: check its name"),
        ("ssh: connect to host server port 22: Connection refused", 255, "cannot be reached"),
        ("Host key verification failed.", 255, "is not known yet: run 'ssh server' once"),
        ("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed.", 255,
         "is another one than before"),
        ("me@server: Permission denied (publickey,password).", 255, "ssh-copy-id server"),
        ("sh: 1: python: not found", 127, "There is no '"),
        ("/usr/bin/python: No module named unet_napari", 1, INSTALL),
        ("__main__.py: error: unrecognized arguments: --session", 2, "another version"),
        ("something else", 3, "cannot be used: something else. Try 'ssh server' in a terminal"),
    ],
)  # fmt: skip
def test_a_host_that_cannot_be_used_is_one_clear_message(jobs, ssh, run, said, status, expected):
    ssh.does(f'echo "{said}" >&2; exit {status}')
    [failed] = run(jobs.Count(total=1))
    assert isinstance(failed, JobFailed)
    assert failed.user_error
    assert expected in failed.message


def test_another_version_there_is_told_with_the_command_that_installs_this_one(jobs, ssh, run):
    ssh.does("""echo 'Welcome!'; echo 'unet-napari-engine {"version": "0.0.1"}'""")
    [failed] = run(jobs.Count(total=1))
    assert "server has unet-napari 0.0.1, and this computer" in failed.message
    assert INSTALL in failed.message


def test_a_host_that_works_again_is_used_by_the_next_job(jobs, ssh, run):
    ssh.does("exit 255")
    assert isinstance(run(jobs.Count(total=1))[-1], JobFailed)
    ssh.does(ssh.RUN_HERE)
    assert run(jobs.Count(total=1))[-1].result == {"counted": 1}


def test_no_password_is_asked_for_and_the_command_is_one_argument_of_the_host():
    command = RemoteHost("me@server", "~/unet/bin/python").command("--session", "abc")
    assert "BatchMode=yes" in command
    assert command[-2:] == [
        "me@server",
        "~/unet/bin/python -P -m unet_napari.engine.worker --session abc",
    ]


@pytest.mark.parametrize("address", ["-oProxyCommand=evil", "a b", "", "server;ls"])
def test_what_is_no_host_is_refused(address):
    with pytest.raises(SettingsError, match="is no host"):
        RemoteHost(address)


def test_folders_that_both_sides_see_are_translated(tmp_path):
    config = HostConfig(host="server", host_folders=f"{tmp_path}=/mnt/lab")
    host = RemoteHost.from_config(config)
    assert host.path_there(tmp_path / "a" / "b.zarr") == "/mnt/lab/a/b.zarr"
    assert host.path_there(tmp_path.parent / "c.zarr") is None
    with pytest.raises(SettingsError, match="no pair of folders"):
        RemoteHost.from_config(HostConfig(host="server", host_folders="data"))


def test_the_hosts_of_openssh_are_offered_without_patterns(tmp_path):
    (tmp_path / "more").write_text("Host=inner\n")
    config = tmp_path / "config"
    config.write_text(f"Host gpu gpu2 *.lab !bad\n  User me\nInclude {tmp_path}/mo*\n")
    assert hosts_in_config(config) == ["gpu", "gpu2", "inner"]
    assert hosts_in_config(tmp_path / "none") == []
