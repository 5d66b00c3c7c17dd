"""How much memory is free: in containers and jobs, and without the page cache."""

from types import SimpleNamespace

import psutil
import pytest

from unet_napari.system.memory import free_memory

GIB = 2**30
UNLIMITED_1 = 9223372036854771712
MOUNT_2 = "30 23 0:28 {top} /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
MOUNTS_1 = """31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
35 31 0:32 {top} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return the empty folders of a computer on which 64 GiB are free."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * GIB))
    (tmp_path / "proc/self").mkdir(parents=True)
    return tmp_path


def say(machine, *, own, mounts):
    (machine / "proc/self/cgroup").write_text(own)
    (machine / "proc/self/mountinfo").write_text(mounts)


def limit(machine, group, size, used, *, inactive=0, active=0, version=2):
    folder = machine / "sys/fs/cgroup" / group
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
        2: ("memory.max", "memory.current", ""),
    }
    of_limit, of_used, prefix = names[version]
    (folder / of_limit).write_text(f"{size}\n")
    (folder / of_used).write_text(f"{used}\n")
    # Of version 1 the numbers without total_ leave the groups below out.
    own = "" if version == 2 else "inactive_file 1\nactive_file 1\n"
    (folder / "memory.stat").write_text(
        f"anon 5\n{own}{prefix}inactive_file {inactive}\n{prefix}active_file {active}\n"
    )


def test_a_computer_without_control_groups_has_what_the_system_says(machine):
    assert free_memory(machine) == 64 * GIB


def test_a_container_that_has_read_large_files_has_that_memory_still(machine):
    say(machine, own="0::/\n", mounts=MOUNT_2.format(top="/"))
    limit(machine, "", 8 * GIB, 7 * GIB + 5, inactive=5 * GIB, active=2 * GIB)
    assert free_memory(machine) == 8 * GIB - 5


def test_what_programs_hold_in_a_container_is_not_free(machine):
    say(machine, own="0::/\n", mounts=MOUNT_2.format(top="/"))
    limit(machine, "", 8 * GIB, 6 * GIB, inactive=GIB)
    assert free_memory(machine) == 3 * GIB


def test_a_job_has_the_limit_of_its_own_group(machine):
    own = "/system.slice/slurmstepd.scope/job_7/step_0"
    say(machine, own=f"0::{own}\n", mounts=MOUNT_2.format(top="/"))
    limit(machine, own[1:], 4 * GIB, GIB)
    assert free_memory(machine) == 3 * GIB


def test_a_group_around_may_leave_less_than_the_own_one(machine):
    say(machine, own="0::/user/job/step\n", mounts=MOUNT_2.format(top="/"))
    limit(machine, "user/job/step", "max", GIB)
    limit(machine, "user/job", 16 * GIB, 12 * GIB, inactive=2 * GIB)
    limit(machine, "user", 32 * GIB, 13 * GIB)
    assert free_memory(machine) == 6 * GIB


def test_a_group_that_is_slowed_down_has_no_more_than_that(machine):
    say(machine, own="0::/app\n", mounts=MOUNT_2.format(top="/"))
    limit(machine, "app", "max", GIB)
    (machine / "sys/fs/cgroup/app/memory.high").write_text("3221225472\n")
    assert free_memory(machine) == 2 * GIB


def test_a_group_above_its_limit_has_nothing_left(machine):
    say(machine, own="0::/\n", mounts=MOUNT_2.format(top="/"))
    limit(machine, "", GIB, GIB + 4096)
    assert free_memory(machine) == 0


def test_version_1_is_read_where_its_memory_controller_is_mounted(machine):
    own = "4:memory:/slurm/uid_1/job_7\n1:cpu:/elsewhere\n0::/\n"
    say(machine, own=own, mounts=MOUNTS_1.format(top="/"))
    limit(machine, "memory/slurm/uid_1/job_7", UNLIMITED_1, GIB, version=1)
    limit(machine, "memory/slurm/uid_1", 8 * GIB, 7 * GIB, inactive=3 * GIB, version=1)
    assert free_memory(machine) == 4 * GIB


def test_a_container_of_version_1_sees_its_group_as_the_top(machine):
    own = "9:name=systemd:/docker/3fa\n4:memory,hugetlb:/docker/3fa\n"
    say(machine, own=own, mounts=MOUNTS_1.format(top="/docker/3fa"))
    limit(machine, "memory", 2 * GIB, GIB, version=1)
    assert free_memory(machine) == GIB


@pytest.mark.parametrize("own", ["/kubepods/pod1/3fa", "/../../elsewhere"])
def test_a_group_that_cannot_be_seen_leaves_the_limit_at_the_mount(machine, own):
    say(machine, own=f"0::{own}\n", mounts=MOUNT_2.format(top="/"))
    limit(machine, "", 2 * GIB, GIB)
    assert free_memory(machine) == GIB


def test_there_is_something_free_here():
    assert 0 < free_memory() <= psutil.virtual_memory().total
