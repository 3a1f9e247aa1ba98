"""One process: everything that is measured on one number of threads, into one JSON file."""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import sys

from . import accuracy, curve, machine
from .baseline import Baseline
from .cells import FORMS, REGIMES, Cell, Sets, cell, load_sets, parse_shape, select, shape_name
from .measure import BUDGETS
from .oracle import is_haline
from .peers import NAMES, load
from .run import Runner


def _cells(arguments: argparse.Namespace, sets: Sets) -> list[Cell]:
    try:
        wanted = re.compile(arguments.filter)
    except re.error as error:
        raise ValueError(f"--filter: {arguments.filter!r} found, a regular expression wanted: {error}") from None
    if arguments.shapes:
        cells = [cell(parse_shape(shape), form) for shape in arguments.shapes.split(",") for form in FORMS]
    else:
        cells = select(arguments.profile, sets)
    return [one for one in cells if wanted.search(one.name)]


def _bar(total: int, what: str):
    """A progress bar; nothing where there is no terminal, or no tqdm."""
    with contextlib.suppress(ImportError):
        import tqdm

        return tqdm.tqdm(total=total, desc=what, disable=None, file=sys.stderr)
    return None


def _progress(sequence, bar):
    for item in sequence:
        yield item
        if bar:
            bar.update()
    if bar:
        bar.close()


def _save(result: dict, folder: pathlib.Path) -> None:
    text = json.dumps(result, indent=1, allow_nan=False)
    (folder / f"threads-{result['threads']}.json").write_text(text + "\n")


def measure(arguments: argparse.Namespace, root: pathlib.Path) -> int:
    """Writes threads-<n>.json; 1 where haline was wrong."""
    threads = arguments.threads
    arguments.out.mkdir(parents=True, exist_ok=True)
    sets = load_sets(arguments.build / "bench/haline_bench")
    cells = _cells(arguments, sets)
    if not cells:
        raise ValueError(f"--filter, --shapes: no cell found for {arguments.filter!r}")
    library = (arguments.build / "bench/libhaline_baseline.so").resolve()
    os.environ["HALINE_BASELINE"] = str(library)
    peers, missing = load(arguments.peers.split(",") if arguments.peers else NAMES, threads)
    for name, reason in missing.items():
        print(f"report: {name} is left out: {reason}", file=sys.stderr)
    # Threads of others spin for a while after their work: PyTorch's for 11 ms on a Zen 3. After that, some take 4 ms to
    # wake in a Xeon's virtual machine.
    waits = {"pause": 0.012, "wake": 0.004} if threads > 1 else {}
    budget = dataclasses.replace(BUDGETS[arguments.profile], **waits)
    baseline = Baseline(library, threads)
    runner = Runner(peers, baseline, budget, threads)

    rows = []
    bar = _bar(len(cells), f"{threads} thread{'s' if threads > 1 else ''}")
    for _, done in _progress(runner.cells(cells), bar):
        rows += done
    result = {
        "machine": machine.describe(root),
        "profile": arguments.profile,
        "threads": threads,
        "sets": {name: [shape_name(shape) for shape in sets[name]] for name in [*(one.name for one in REGIMES), "odd"]},
        "peers": {peer.name: peer.version for peer in peers},
        "missing": missing,
        "rows": rows,
        "curve": [],
        "accuracy": [],
    }
    _save(result, arguments.out)  # whatever happens to the rest
    haline = next((peer for peer in reversed(peers) if is_haline(peer.name)), None)
    if threads == 1 and not arguments.only_cells:
        if haline:
            quick = arguments.profile == "quick"
            plans = len(curve.TOTALS) * len(curve.sizes(64 if quick else 600))
            result["curve"] = list(_progress(curve.points(haline, baseline, quick), _bar(plans, "plane sizes")))
        apart = [peer for peer in peers if peer.name != "haline-c"]
        result["accuracy"] = list(_progress(accuracy.rows(apart), _bar(len(accuracy.CORPUS), "accuracy")))
    _save(result, arguments.out)

    wrong = [row for row in rows if is_haline(row["who"]) and row["note"]]
    for row in wrong:
        print(f"report: {row['cell']}: {row['who']}: {row['note']}", file=sys.stderr)
    return 1 if wrong else 0
