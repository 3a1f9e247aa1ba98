"""The kernels of a build and the parameters of their schedules, as the build itself lists them."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

# Which planes (elements of one) a kernel works on: what it can be tuned on. docs/numerics.md has the borders.
_SIZES = {
    "few": (1, 8),
    "across": (1, 63),
    "group": (64, 511),
    "column": (64, 127),
    "small": (64, 511),
    "large": (512, 2**31),
    "along": (0, -1),  # float's failures
}
_ANY_FLOAT = (64, 2**31)

Params = dict[str, str]  # of a schedule: name to value


@dataclass(frozen=True)
class Kernel:
    """One function of the library, and how it was compiled."""

    function: str
    kernel: str
    generator: str
    backend: str  # as kernels.cmake writes it, x86_avx2
    element: str
    target: str
    params: tuple[str, ...]
    schedule: tuple[str, ...]  # of generators/schedules, as this build has it

    def works_on(self, shape: str) -> bool:
        """Whether planes of such a shape ("8x64x32x32") need it."""
        size = 1
        for extent in shape.split("x")[2:]:
            size *= int(extent)
        least, most = _SIZES.get(self.kernel.removesuffix("_last").rsplit("_", 1)[-1], _ANY_FLOAT)
        return least <= size <= most

    def is_of(self, form: str) -> bool:
        """Whether a call of such a form needs it."""
        if self.kernel.startswith(("gradient", "wide_gradient")):
            return form.startswith("backward")
        # (An activation's gradient starts with the forward pass's coefficients.)
        return not form.startswith("backward") or (form != "backward" and not self.kernel.startswith(("apply", "wide")))


@dataclass(frozen=True)
class Build:
    """What a build folder has."""

    folder: Path
    compiler: str
    halide: str
    spaces: dict[str, dict[str, list[str]]]  # of each generator: its parameters and their values, the default first
    kernels: list[Kernel]

    @classmethod
    def read(cls, folder: Path) -> Build:
        path = folder / "generators" / "kernels.json"
        try:
            root = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise SystemExit(f"{path}: {error} found, the list of a configured build wanted") from None
        spaces = {}
        for line in root["schedules"]:
            generator, *params = line.split("|")
            pairs = (param.split("=", 1) for param in params)
            spaces[generator] = {name: values.split(",") for name, values in pairs}
        kernels = [
            Kernel(**{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}) for entry in root["kernels"]
        ]
        return cls(folder, root["compiler"], root["halide"], spaces, kernels)

    def choose(self, backend: str, element: str, form: str, layout: str = "channels-first") -> list[Kernel]:
        """The kernels of a call."""
        # (Kernels that float16 and float32 share are listed under f32.)
        elements = [element] if element in ("f32", "f64") else [element, "f32"]
        chosen: dict[str, Kernel] = {}
        for wanted in elements:
            for kernel in self.kernels:
                if kernel.backend == backend and kernel.element == wanted and kernel.is_of(form):
                    chosen.setdefault(kernel.kernel, kernel)
        if not chosen:
            known = sorted({kernel.backend for kernel in self.kernels})
            raise SystemExit(f"--backend: {backend} found, one of {', '.join(known)} wanted")
        # Channels-last tensors have some kernels of their own.
        last = {name for name in chosen if name.endswith(("_last", "_rows", "_lines", "column"))}
        unused = {name.removesuffix("_last") for name in last} if layout == "channels-last" else last
        return [kernel for name, kernel in chosen.items() if name not in unused]

    def space(self, kernel: Kernel) -> dict[str, list[str]]:
        # (Of the schedules for channels-last this one alone goes by parameters.)
        last = {"layout=last", "layout=rows"} & set(kernel.params) and kernel.generator != "wide_gradient"
        return {} if last else self.spaces.get(kernel.generator, {})

    def default(self, kernel: Kernel) -> Params:
        """The hand schedule."""
        return {name: values[0] for name, values in self.space(kernel).items()}

    def current(self, kernel: Kernel) -> Params:
        """What this build has: the hand schedule, and what generators/schedules says."""
        return self.default(kernel) | dict(pair.split("=", 1) for pair in kernel.schedule)

    def points(self, kernel: Kernel) -> list[Params]:
        """Every schedule of a kernel."""
        space = self.space(kernel)
        return [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
