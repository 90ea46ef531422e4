"""This machine: its clock, the right to real time, processor, memory for messages, disk."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import time
from pathlib import Path

from robot_policies.control.pacing import PRIORITY, timer_slack
from robot_policies.doctor.finding import Finding

STA_UNSYNC, TIME_ERROR = 0x0040, 5  # linux/timex.h
STEP_LIMIT = 0.002  # [s] by which system time may run away from the monotonic clock in half a second
LATE_LIMIT = 0.001  # [s], 99 % of wake-ups at 500 Hz; half a cycle
BUFFER = 4 << 20  # [byte], what config/fastdds.xml asks for
SHM = 64 << 20  # [byte], a few hundred small images
DISK = (2e9, 2e10)  # [byte] free: below the first no recording, below the second a short one
RT_TODO = "in /etc/security/limits.conf: USER - rtprio 80 and USER - memlock unlimited; then log in again"


class _Timex(ctypes.Structure):
    """Struct timex of linux/timex.h, as far as it is read."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    ]


def synchronised() -> Finding:
    """Whether the kernel says that system time follows a time server."""
    timex = _Timex()
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    if state < 0:
        return Finding("clock", "WARN", "the kernel does not tell whether it is synchronised", "timedatectl")
    if state == TIME_ERROR or timex.status & STA_UNSYNC:
        found = "not synchronised; recordings of several machines will not fit together"
        return Finding("clock", "WARN", found, "timedatectl set-ntp true, or chrony")
    return Finding("clock", "OK", f"synchronised, error below {timex.maxerror / 1000.0:.1f} ms")


def steady() -> Finding:
    """Whether system time runs with the monotonic clock: stamps are in the one, deadlines in the other."""
    begun = time.time() - time.monotonic()
    time.sleep(0.5)
    gone = time.time() - time.monotonic() - begun
    if abs(gone) > STEP_LIMIT:
        found = f"system time moved by {gone * 1e3:.1f} ms in half a second"
        return Finding("clock steps", "FAIL", found, "wait until it is set, or stop what sets it: it trips the robot")
    return Finding("clock steps", "OK", f"system time runs evenly ({gone * 1e6:+.0f} us in half a second)")


def real_time() -> Finding:
    """Whether this user may run in SCHED_FIFO, by trying it in this thread."""
    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except PermissionError:
        return Finding("real-time rights", "WARN", f"no SCHED_FIFO {PRIORITY} (rtprio limit {limit})", RT_TODO)
    share = _read("/proc/sys/kernel/sched_rt_runtime_us")
    return Finding("real-time rights", "OK", f"SCHED_FIFO {PRIORITY} granted (rtprio limit {limit}, {share} us/s)")


def wakes() -> Finding:
    """How late this machine wakes a thread up at 500 Hz now, as a robot node would be."""
    try:
        timer_slack()
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        how = "in the ordinary scheduler"
    else:
        how = "in SCHED_FIFO"
    late, due = [], time.monotonic()
    for _ in range(250):
        due += 0.002
        time.sleep(max(0.0, due - time.monotonic()))
        late.append(time.monotonic() - due)
    late.sort()
    found = f"99 % within {late[247] * 1e3:.2f} ms at 500 Hz, worst {late[-1] * 1e3:.2f} ms, {how}"
    if late[247] > LATE_LIMIT:
        return Finding("wake-up", "WARN", found, "end what else runs here; real-time rights; a kernel with PREEMPT_RT")
    return Finding("wake-up", "OK", found)


def processor() -> Finding:
    """Cores, load, and whether their frequency is held up."""
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    files = sorted(Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
    governors = sorted({_read(file) for file in files})
    kernel = "PREEMPT_RT" if Path("/sys/kernel/realtime").exists() else "without PREEMPT_RT"
    found = f"{cores} cores, load {load:.1f}, governor {', '.join(governors) or 'not told'}, kernel {kernel}"
    if governors and governors != ["performance"]:
        return Finding("processor", "WARN", found, "cpupower frequency-set -g performance")
    if cores < 2 or load > cores:
        return Finding("processor", "WARN", found, "end what else runs here: robot and policy node need a core each")
    return Finding("processor", "OK", found)


def shared_memory(folder: str = "/dev/shm") -> Finding:
    """Room for Fast DDS where a profile uses shared memory, and what killed nodes left there."""
    usage = shutil.disk_usage(folder)
    left = sum(1 for name in os.listdir(folder) if name.startswith(("fastdds_", "fastrtps_")))
    found = f"{usage.free / 2**20:.0f} MiB free of {usage.total / 2**20:.0f}, {left} files of Fast DDS"
    if usage.free < SHM:
        return Finding("shared memory", "WARN", found, f"mount -o remount,size=256M {folder}")
    if left > 200:
        return Finding("shared memory", "WARN", found, "fastdds shm clean, while no node runs")
    return Finding("shared memory", "OK", found)


def buffers(file: str = "/proc/sys/net/core/rmem_max") -> Finding:
    """Room for images of several datagrams in a socket."""
    size = int(_read(file) or 0)
    found = f"sockets may hold {size >> 10} KiB"
    if size < BUFFER:
        return Finding("socket buffers", "WARN", found, f"sysctl -w net.core.rmem_max={BUFFER} (large images get lost)")
    return Finding("socket buffers", "OK", found)


def disk(folder: str) -> Finding:
    """Room for recordings."""
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free at {folder}"
    if free < DISK[1]:
        level = "FAIL" if free < DISK[0] else "WARN"
        return Finding("disk", level, found, "make room: a minute with images takes about 0.1 GB")  # type: ignore[arg-type]
    return Finding("disk", "OK", found)


def _read(file: str | Path) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
