"""What it was measured on."""

import contextlib
import datetime
import os
import pathlib
import platform
import subprocess


def _first(path: str, key: str) -> str:
    with contextlib.suppress(OSError):
        for line in pathlib.Path(path).read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""


def _caches() -> str:
    """As in L1d 48K, L2 1024K, L3 32768K."""
    found = []
    for index in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        with contextlib.suppress(OSError):
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
            if kind != "Instruction":
                found.append(f"L{level}{'d' if kind == 'Data' else ''} {size}")
    return ", ".join(found)


def _isa() -> str:
    flags = _first("/proc/cpuinfo", "flags").split()
    return ", ".join(flag for flag in ("sse4_1", "avx2", "avx512f", "avx512_bf16", "avx512_fp16") if flag in flags)


def _git(root: pathlib.Path) -> str:
    """The commit, with a mark where the tree has changes; "" where there is no repository."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return ""


def describe(root: pathlib.Path) -> dict[str, str]:
    """The machine, the system and haline's commit, for the report's head."""
    family, model = _first("/proc/cpuinfo", "cpu family"), _first("/proc/cpuinfo", "model")
    hypervisor = "hypervisor" in _first("/proc/cpuinfo", "flags").split()
    return {
        "processor": (_first("/proc/cpuinfo", "model name") or platform.machine())
        + (f" (family {family}, model {model})" if family else "")
        + (", a virtual machine's" if hypervisor else ""),
        "processors": str(os.cpu_count()),
        "instructions": _isa(),
        "caches": _caches(),
        "memory": _first("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()}, {platform.libc_ver()[0]} {platform.libc_ver()[1]}",
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
        "commit": _git(root),
    }
