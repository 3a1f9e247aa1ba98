"""Bytes and times of libraries, measured by haline_compare (tools/compare.cpp) in a process of its own."""

from __future__ import annotations

import json
import math
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

GAIN = 0.02  # a schedule must be faster by more than this, and by more than twice the error,
LOSS = 0.05  # and no shape may lose more than this


@dataclass
class Outcome:
    """What came of one library."""

    differs: str = ""  # in which case its bytes are not those of the base, or how it failed
    rows: dict[str, dict[str, float]] = field(default_factory=dict)  # by shape: ratio, error, gb_per_s, ...

    @property
    def ratio(self) -> float:
        """Its time to that of the base: the shapes' geometric mean; infinite where the bytes differ."""
        if self.differs or not self.rows:
            return math.inf
        return math.exp(sum(math.log(row["ratio"]) for row in self.rows.values()) / len(self.rows))

    @property
    def error(self) -> float:
        """Of `ratio`."""
        if not self.rows:
            return math.inf
        return math.sqrt(sum((row["error"] / row["ratio"]) ** 2 for row in self.rows.values())) / len(self.rows)

    @property
    def loses(self) -> list[str]:
        """The shapes that pay for it."""
        return [shape for shape, row in self.rows.items() if row["ratio"] - 2 * row["error"] > 1 + LOSS]

    @property
    def wins(self) -> bool:
        return self.ratio < 1 - max(GAIN, 2 * self.error) and not self.loses


@dataclass
class Workload:
    """What is measured, and how."""

    backend: str  # x86-avx2
    dtype: str = "float32"
    form: str = "forward"
    layout: str = "channels-first"
    threads: int = 1
    under: str = ""  # a command to run the measurements under


class Meter:
    def __init__(self, compare: Path, base: Path, workload: Workload) -> None:
        self._compare = compare
        self._base = base
        self._workload = workload

    def _command(self, libraries: list[Path], shapes: list[str], seconds: float, check: bool) -> list[str]:
        w = self._workload
        command = [*shlex.split(w.under), str(self._compare), f"--base={self._base}", f"--backend={w.backend}"]
        command += [f"--dtype={w.dtype}", f"--form={w.form}", f"--layout={w.layout}", f"--threads={w.threads}"]
        command += [f"--seconds={seconds}", *(f"--shape={shape}" for shape in shapes)]
        return [*command, *([] if check else ["--no-check"]), *map(str, libraries)]

    def measure(
        self, libraries: list[Path], shapes: list[str], seconds: float, *, check: bool = True
    ) -> dict[Path, Outcome]:
        """Each library against the base: its bytes first, then, if they are right, its time on each shape."""
        done = subprocess.run(
            self._command(libraries, shapes, seconds, check), capture_output=True, text=True, check=False
        )
        outcomes = {library: Outcome() for library in libraries}
        for line in done.stdout.splitlines():
            row = json.loads(line)
            outcome = outcomes[Path(row.pop("library"))]
            if "differs" in row:
                outcome.differs = outcome.differs or row["differs"]
            else:
                outcome.rows[row.pop("shape")] = row
        if done.returncode == 0:
            return outcomes
        if len(libraries) == 1:
            lines = done.stderr.splitlines()
            outcomes[libraries[0]].differs = lines[-1] if lines else f"exit status {done.returncode}"
            return outcomes
        # One of them crashed: which?
        for library in libraries:
            outcomes |= self.measure([library], shapes, seconds, check=check)
        return outcomes
