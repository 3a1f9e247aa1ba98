"""The files of generators/schedules: what was found, and how, for the build to use and for people to review."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from .kernels import Build, Kernel, Params
from .measure import Outcome


def machine() -> str:
    """The processor's name, and how many there are."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    text = Path("/proc/cpuinfo").read_text()
    numbers = [
        f"{key} {line.split(':', 1)[1].strip()}"
        for key in ("cpu family", "model\t", "stepping")
        for line in text.splitlines()
        if line.startswith(key)
    ]
    unique = list(dict.fromkeys(" ".join(n.split()) for n in numbers))
    return ", ".join([name, *unique, f"{text.count('processor' + chr(9))} processors"])


def write(
    path: Path, build: Build, command: str, found: dict[Kernel, tuple[Params, Outcome]], together: Outcome
) -> None:
    """`found`: of each kernel what was chosen, and what it gained by itself. Entries of other kernels stay."""
    old = json.loads(path.read_text())["schedules"] if path.exists() else []
    mine = {(k.backend, k.element, k.kernel) for k in found}
    entries = [e for e in old if (e["backend"], e["element"], e["kernel"]) not in mine]
    for kernel, (params, outcome) in found.items():
        default = build.default(kernel)
        changed = {
            name: int(value) if value.isdigit() else value for name, value in params.items() if value != default[name]
        }
        if not changed:
            continue
        gain = {shape: round(1 / row["ratio"], 3) for shape, row in outcome.rows.items()}
        entries.append(
            {
                "backend": kernel.backend,
                "element": kernel.element,
                "kernel": kernel.kernel,
                "params": changed,
                "times_as_fast": gain,
            }
        )
    entries.sort(key=lambda e: (e["backend"], e["element"], e["kernel"]))
    root = {
        "command": command,
        "machine": machine(),
        "halide": build.halide,
        "times_as_fast_together": {shape: round(1 / row["ratio"], 3) for shape, row in together.rows.items()},
        "schedules": entries,
    }
    if entries:
        path.write_text(json.dumps(root, indent=2) + "\n")
    else:
        path.unlink(missing_ok=True)
