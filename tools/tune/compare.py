"""The hand schedules beside Halide's own autoschedulers and what the tuner found, on the whole operator."""

from __future__ import annotations

import subprocess

from .kernels import Build, Kernel
from .measure import Meter, Outcome
from .variants import CompileError, Variants

AUTOSCHEDULERS = ["Mullapudi2016", "Adams2019", "Li2018"]


def _autoscheduled(
    name: str, kernels: list[Kernel], shapes: list[str], variants: Variants, meter: Meter, seconds: float
) -> tuple[Outcome, list[dict[str, str]]]:
    """The operator with all kernels that this autoscheduler gets right, and what became of the others."""
    failures, right = [], {}
    for kernel in kernels:
        try:
            path = variants.autoschedule(kernel, name)
            alone = variants.link({kernel: path})
            # One shape, hardly timed: this is for the bytes, which come first.
            outcome = meter.measure([alone], ["2x3x100"], 0)[alone]
            how = f"wrong bytes: {outcome.differs}" if outcome.differs else ""
            if "haline_compare: " in how:  # it came to no bytes
                how = f"fails: {outcome.differs.removeprefix('haline_compare: ')}"
        except CompileError as error:
            how = f"does not compile: {error}"
        except subprocess.TimeoutExpired:
            how = "does not compile: no end after 300 seconds"
        if how:
            failures.append({"autoscheduler": name, "kernel": kernel.kernel, "how": how})
        else:
            right[kernel] = path
    if not right:
        return Outcome(differs="no kernel"), failures
    library = variants.link(right)
    return meter.measure([library], shapes, seconds)[library], failures


def compare(
    build: Build, kernels: list[Kernel], shapes: list[str], variants: Variants, meter: Meter, seconds: float = 0.2
) -> dict:
    """GB/s of each, shape by shape, and the kernels that an autoscheduler does not get right."""
    hand = {k: variants.compile(k, build.default(k)) for k in kernels if build.current(k) != build.default(k)}
    measured = {}
    tuned = variants.base
    library = variants.link(hand) if hand else tuned
    measured["hand"] = meter.measure([library], shapes, seconds)[library]
    failures: list[dict[str, str]] = []
    for name in AUTOSCHEDULERS:
        measured[name], failed = _autoscheduled(name, kernels, shapes, variants, meter, seconds)
        failures += failed
    rows = []
    for shape, row in measured["hand"].rows.items():
        # By their ratios to the base, timed in turns with each: the speed itself is the machine's, of that minute.
        speeds = {
            name: round(row["base_gb_per_s"] / outcome.rows[shape]["ratio"], 2)
            for name, outcome in measured.items()
            if shape in outcome.rows
        }
        # (The base of every measurement is the build, which has the tuned schedules.)
        if hand:
            speeds["tuned"] = round(row["base_gb_per_s"], 2)
        rows.append({"shape": shape, "copy": round(row["copy_gb_per_s"], 2), **speeds})
    return {"gb_per_s": rows, "tuned_kernels": sorted(k.function for k in hand), "failures": failures}
