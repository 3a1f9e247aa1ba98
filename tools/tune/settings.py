"""The settings of the library (tasks, grain, borders between regimes), which `haline select` searches."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from .measure import Workload


def command(tool: Path, w: Workload, shapes: list[str], seconds: float, out: Path) -> list[str]:
    """`haline select` for a workload."""
    words = [*shlex.split(w.under), str(tool), "select", f"--dtype={w.dtype}", f"--layout={w.layout}"]
    words += [f"--pass={'backward' if w.form.startswith('backward') else 'forward'}", f"--threads={w.threads}"]
    return [*words, *(f"--shape={shape}" for shape in shapes), f"--seconds={seconds:.1f}", str(out)]


def search(tool: Path, w: Workload, shapes: list[str], seconds: float, out: Path) -> str:
    """Its report; what it found is in `out`. KeyboardInterrupt where it was interrupted."""
    done = subprocess.run(command(tool, w, shapes, seconds, out), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"haline select: exit status {done.returncode} found, 0 wanted")
    return done.stdout


def count(path: Path) -> int:
    """The settings of a file."""
    about = ("library", "processor", "checksum")
    pairs = (line.split(" = ")[0] for line in path.read_text().splitlines() if " = " in line)
    return sum(name not in about for name in pairs)
