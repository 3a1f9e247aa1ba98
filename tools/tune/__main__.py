"""scripts/tune.sh: searches the library's settings and the schedules of its kernels on this machine, or compares the
schedules that there are.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import settings
from .compare import compare
from .kernels import Build
from .measure import Meter, Workload
from .schedules import machine, write
from .variants import Variants

if TYPE_CHECKING:
    from .search import Progress

_ROOT = Path(__file__).resolve().parents[2]
_ELEMENTS = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "float64": "f64"}
_SETTINGS_SHARE = 0.25  # of the budget
_FORMS = ["forward", "training", "relu", "residual", "backward", "backward-relu"]


def _duration(text: str) -> float:
    """90, 90s, 10m or 1h in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f'"{text}" found, such as 90s, 10m or 1h wanted')
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def arguments(words: list[str]) -> argparse.Namespace:
    """What the words ask for; leaves with status 2 where they make no sense."""
    parser = argparse.ArgumentParser(prog="scripts/tune.sh", description=__doc__, epilog="docs/tuning.md tells more.")
    parser.add_argument("--backend", default="", help="as `haline info` names it [the best that runs here]")
    parser.add_argument("--dtype", default="float32", choices=list(_ELEMENTS), help="[float32]")
    parser.add_argument("--form", default="forward", choices=_FORMS, help="[forward]")
    parser.add_argument("--layout", default="channels-first", choices=["channels-first", "channels-last"])
    parser.add_argument(
        "--shapes", default="style,cifar", help="sets and shapes of haline_bench, or @FILE [style,cifar]"
    )
    parser.add_argument("--guard", default="table", help="shapes that must not lose, beside --shapes [table]")
    parser.add_argument("--threads", type=int, default=1, help="[1]")
    parser.add_argument("--budget", type=_duration, default="10m", help="of time, such as 90s, 10m, 1h [10m]")
    parser.add_argument("--resume", action="store_true", help="go on where the same search was stopped")
    parser.add_argument("--under", default="", help='a command to measure under, such as "taskset -c 1"')
    parser.add_argument(
        "--compare",
        metavar="FILE",
        help="no search: time the hand schedules, Halide's autoschedulers and the tuned ones, and write FILE (JSON)",
    )
    parser.add_argument("--build", type=Path, default=_ROOT / "build/release", help="[build/release]")
    parser.add_argument("--halide", type=Path, default=_ROOT / ".venv/halide", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def _shapes(build: Path, text: str) -> list[str]:
    """The shapes of sets, by the program that knows them."""
    if text.startswith("@"):
        text = ",".join(Path(text[1:]).read_text().split())
    command = [build / "tools" / "haline_compare", "--list", *(f"--shape={name}" for name in text.split(","))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr.strip())
    return done.stdout.split()


def _best_backend(build: Path) -> str:
    info = json.loads(
        subprocess.run([build / "tools/haline", "info", "--json"], capture_output=True, check=True).stdout
    )
    return info["chosen"]["backend"]


def _show(name: str, progress: Progress | None, left: float) -> None:
    """A bar of what is tried, the best so far, the time that is left."""
    if not progress or not sys.stderr.isatty():
        return
    filled = int(20 * progress.tried / max(1, progress.of))
    bar = "#" * filled + "." * (20 - filled)
    params = " ".join(f"{k}={v}" for k, v in progress.params.items())
    sys.stderr.write(f"\r\033[K{name} [{bar}] best {1 / progress.best:.3f} x ({params}) {left:.0f} s left")
    sys.stderr.flush()


def _tune_settings(a: argparse.Namespace, workload: Workload, shapes: list[str], state: Path) -> None:
    """What `haline select` finds becomes the library's own for this processor, from the next build on."""
    out = state / "settings.tuning"
    if not out.exists():  # else it was found before the search was stopped
        report = settings.search(a.build / "tools/haline", workload, shapes, a.budget * _SETTINGS_SHARE, out)
        print(*report.splitlines()[:-1], sep="\n")
    if settings.count(out) > 0:
        path = _ROOT / "generators" / "schedules" / f"{state.name}.tuning"
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(out, path)
        print(f"{settings.count(out)} settings; {path.relative_to(_ROOT)} is for the next build")


def main(words: list[str]) -> int:
    a = arguments(words)
    best = _best_backend(a.build)
    backend = a.backend or best
    build = Build.read(a.build)
    kernels = build.choose(backend.replace("-", "_"), _ELEMENTS[a.dtype], a.form, a.layout)
    shapes = _shapes(a.build, a.shapes)
    workload = Workload(backend, a.dtype, a.form, a.layout, a.threads, a.under)
    variants = Variants(build, a.build.parent / "tune" / "variants", a.halide / "lib64")
    meter = Meter(a.build / "tools" / "haline_compare", variants.base, workload)
    command = "scripts/tune.sh " + shlex.join(words)
    if a.compare:
        used = [kernel for kernel in kernels if any(kernel.works_on(shape) for shape in shapes)]
        about = {"machine": machine(), "halide": build.halide, "command": command, "backend": backend}
        about |= {"dtype": a.dtype, "form": a.form, "layout": a.layout, "threads": a.threads}
        Path(a.compare).write_text(json.dumps(about | compare(build, used, shapes, variants, meter), indent=1) + "\n")
        return 0

    name = f"{backend}-{_ELEMENTS[a.dtype]}-{a.form}-{a.layout}"
    state = a.build.parent / "tune" / name
    if state.exists() and not a.resume:
        shutil.rmtree(state)
    state.mkdir(parents=True, exist_ok=True)
    from .session import Clock, Tuner  # here, so that --help needs no search library

    tuner = Tuner(build, variants, meter, state / "journal.log", Clock(a.budget), _show)
    guard = [shape for shape in _shapes(a.build, a.guard) if shape not in shapes] if a.guard else []
    try:
        if backend == best:  # (They don't know which back end a call names.)
            _tune_settings(a, workload, shapes + guard, state)
        found = tuner.run(kernels, shapes)
        whole = tuner.together(found, shapes) if found else None
        others = tuner.together(found, guard) if found and guard else None
    except KeyboardInterrupt:
        print("\nstopped; --resume goes on from here", file=sys.stderr)
        return 130
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for kernel, (params, outcome) in found.items():
        print(f"{kernel.function}: {params}, {1 / outcome.ratio:.3f} times as fast")
    if not whole or not whole.wins or (others and (others.differs or others.loses)):
        lost = f": {', '.join(others.loses)} would lose" if others and others.loses else ""
        print(f"nothing that is faster by more than the noise{lost}; the schedules stay as they are")
        return 0
    path = _ROOT / "generators" / "schedules" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    write(path, build, command, found, whole)
    print(f"together {1 / whole.ratio:.3f} times as fast; {path.relative_to(_ROOT)} is for the next build")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
