"""Runs a build's benchmark programs and reads their rows.

SPDX-License-Identifier: MIT
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

from perf_check.verdict import Times

UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}

# The rows of each program; haline_call_bench knows no --shapes.
SHAPED, CALLS = "haline_bench", "haline_call_bench"


class ProgramError(Exception):
    """A program that did not run, or said what no one understands."""


def read_rows(document: dict) -> Times:
    """From Google Benchmark's JSON to the median of each row's repetitions; None of a row with an error."""
    times: dict[str, list[float] | None] = {}
    for entry in document["benchmarks"]:
        name = entry.get("run_name", entry["name"])
        if entry.get("error_occurred"):
            times[name] = None
        elif entry.get("run_type", "iteration") == "iteration" and times.setdefault(name, []) is not None:
            by_the_clock = "/real_time" in name  # with several threads; /threads:2 may follow
            times[name].append(entry["real_time" if by_the_clock else "cpu_time"] * UNITS[entry["time_unit"]])
    # (The middle one, or the lower of two: a time that was.)
    return {name: values and sorted(values)[(len(values) - 1) // 2] for name, values in times.items()}


def exactly(name: str) -> str:
    """A pattern for a row's name. (Not Python's re.escape: the programs' regular expressions know no escaped -.)"""
    return re.sub(r"([][.^$*+?(){}|\\])", r"\\\1", name)


class Programs:
    """The benchmark programs of the two builds."""

    def __init__(self, builds: dict[str, pathlib.Path], shapes: str, pattern: str, threads: int, seconds: float):
        self.builds = builds
        self.shapes = shapes
        self.pattern = pattern
        self.threads = threads
        self.seconds = seconds  # of each repetition
        self.passes: dict[pathlib.Path, list[str]] = {}

    def run(self, side: str, names: list[str] | None) -> Times:
        """One short run: verdict.Run."""
        times: Times = {}
        for program in (SHAPED, CALLS):
            if names is None:
                pattern = self.pattern
            else:
                mine = [exactly(name) for name in names if name.startswith("call/") == (program == CALLS)]
                if not mine:
                    continue
                pattern = f"^({'|'.join(mine)})$"
            times |= self._run(self.builds[side] / "bench" / program, pattern)
        return times

    def _run(self, program: pathlib.Path, pattern: str) -> Times:
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "rows.json"
            command = [program, f"--benchmark_filter={pattern}", f"--benchmark_out={out}", "--benchmark_repetitions=3",
                       f"--benchmark_min_time={self.seconds}", "--benchmark_report_aggregates_only=false"]  # fmt: skip
            if program.name == SHAPED:
                command += [f"--shapes={self.shapes}", f"--threads={self.threads}", *self._passes(program)]
            try:
                ran = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
            except OSError as error:
                raise ProgramError(f"{program}: {error.strerror}") from error
            # Status 1: some rows were refused, and are named in the file. No rows: no row of this program's was meant.
            text = out.read_text() if out.exists() else ""
            if ran.returncode not in (0, 1):
                raise ProgramError(f"{program} ended with status {ran.returncode}: {ran.stderr.strip()}")
            try:
                times = read_rows(json.loads(text)) if text.strip() else {}
            except (ValueError, KeyError, TypeError) as error:
                raise ProgramError(f"{program}: rows that can't be read: {error!r}") from error
            if ran.returncode == 1 and None in times.values():
                sys.stderr.write(ran.stderr)
            return times

    def _passes(self, program: pathlib.Path) -> list[str]:
        """Asks for forward and backward rows, of a program that has both."""
        if program not in self.passes:
            said = output([program, "--help"])
            self.passes[program] = ["--pass=both"] if "--pass" in said else []
        return self.passes[program]


def output(command: list) -> str:
    """What a program says of itself."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    except OSError as error:
        raise ProgramError(f"{command[0]}: {error.strerror}") from error


def best_backend(program: pathlib.Path) -> str:
    """The name of the first back end in a build's rows: they are listed best first."""
    listed = output([program, "--benchmark_list_tests", "--shapes=2x6x2x4"])
    for line in listed.splitlines():
        if line.startswith("forward/"):
            return line.split("/")[4]
    raise ProgramError(f"{program}: no rows forward/... in its list: {listed}")
