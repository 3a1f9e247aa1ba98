"""What is measured: cells of a direction, an element type, a layout and a shape, and the goals for them."""

import dataclasses
import json
import math
import pathlib
import subprocess

ITEM_SIZE = {"f32": 4, "bf16": 2, "f16": 2}
LARGE = 1 << 25  # elements beyond which a tensor is measured in fewer forms
LEAST_PICTURE = 512  # elements of a plane, of which haline samples some from here on (docs/numerics.md)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One thing that haline and its peers are asked to do, named as haline_bench names its rows."""

    direction: str  # "forward" or "backward"
    dtype: str  # "f32", "bf16" or "f16"
    layout: str  # "nchw" or "nhwc": channels first or last, whatever the rank
    shape: tuple[int, ...]  # [N, C, *]
    slope: float = 1.0  # of a leaky ReLU on the result; 1: none
    pictures: bool = False  # x is smooth, as photographs are; else each element is drawn for itself

    @property
    def elements(self) -> int:
        """The elements of x."""
        return math.prod(self.shape)

    @property
    def plane(self) -> int:
        """The elements of a plane."""
        return math.prod(self.shape[2:])

    @property
    def bytes(self) -> int:
        """What must be moved: x and y; or x, dy and dx."""
        return self.elements * ITEM_SIZE[self.dtype] * (2 if self.direction == "forward" else 3)

    @property
    def form(self) -> str:
        """All but the shape, as in forward/f32/nchw."""
        fused = "" if self.slope == 1 else "+leaky_relu"
        data = "+pictures" if self.pictures else ""
        return f"{self.direction}{fused}{data}/{self.dtype}/{self.layout}"

    @property
    def name(self) -> str:
        """As in forward/f32/nchw/8x64x32x32."""
        return f"{self.form}/{shape_name(self.shape)}"


def shape_name(shape: tuple[int, ...]) -> str:
    """As in 8x64x32x32."""
    return "x".join(map(str, shape))


def parse_shape(text: str) -> tuple[int, ...]:
    """The shape that shape_name gave this name. ValueError for other texts."""
    extents = text.split("x")
    if len(extents) < 3 or not all(extent.isdecimal() and int(extent) > 0 for extent in extents):
        raise ValueError(f"shape: {text!r} found, one of rank 3 and up such as 8x64x32x32 wanted")
    return tuple(map(int, extents))


@dataclasses.dataclass(frozen=True)
class Regime:
    """Shapes with the same limit, and the fraction of a copy's speed (backward: of a stream's) that is the goal."""

    name: str  # the set of shapes in bench/shapes.cpp
    what: str
    forward: float  # on one thread
    forward_threads: float  # on several, of a copy on as many
    backward: float  # on one thread


REGIMES = [
    Regime("planes-4", "tiny planes, S = 4", 0.1, 0.08, 0.08),
    Regime("planes-64", "tiny planes, S = 16 to 64", 0.22, 0.2, 0.2),
    Regime("in-cache", "in cache", 0.5, 0.45, 0.5),
    Regime("in-memory", "in memory, a plane fits L2", 0.9, 0.9, 0.85),
    Regime("huge", "huge planes", 0.6, 0.6, 0.5),
]

Sets = dict[str, list[tuple[int, ...]]]


def load_sets(haline_bench: pathlib.Path) -> Sets:
    """The named sets of shapes, as the benchmark program has them: there is no other list."""
    text = subprocess.run([haline_bench, "--list-shapes"], check=True, capture_output=True, text=True).stdout
    return {entry["name"]: [parse_shape(shape) for shape in entry["shapes"]] for entry in json.loads(text)}


Form = tuple[str, str, str, float, bool]  # a cell's direction, dtype, layout, slope and pictures

FORMS: list[Form] = [
    (direction, dtype, layout, 1.0, False)
    for dtype in ("f32", "bf16", "f16")
    for layout in ("nchw", "nhwc")
    for direction in ("forward", "backward")
] + [
    (direction, "f32", layout, slope, pictures)
    for direction, slope, pictures in (("forward", 0.01, False), ("backward", 0.01, False), ("forward", 1.0, True))
    for layout in ("nchw", "nhwc")
]


def cell(shape: tuple[int, ...], form: Form) -> Cell:
    """The cell of a form."""
    direction, dtype, layout, slope, pictures = form
    return Cell(direction, dtype, layout, shape, slope, pictures)


def select(profile: str, sets: Sets) -> list[Cell]:
    """The cells of a profile, those that share their inputs beside each other.

    quick: the regimes' shapes that are not large, float32. default: the regimes in every form, the rest of the sets
    forward; of large tensors float32 alone; pictures where haline samples planes. full: every shape in every form.
    """
    regimes, all_shapes = sets["regimes"], sets["all"]

    def wanted(shape: tuple[int, ...], form: Form) -> bool:
        direction, dtype, layout, slope, pictures = form
        large = math.prod(shape) > LARGE
        plain = dtype == "f32" and slope == 1 and not pictures
        if profile == "full":
            return True
        if profile == "quick":
            return shape in regimes and not large and plain and (layout == "nchw" or direction == "forward")
        if shape not in regimes:
            return plain and layout == "nchw" and direction == "forward"
        if large:
            return plain or (dtype == "bf16" and layout == "nchw" and direction == "forward")
        if pictures:
            return math.prod(shape[2:]) >= LEAST_PICTURE
        return dtype != "f16" or direction == "forward"

    ordered = regimes + [shape for shape in all_shapes if shape not in regimes]
    return [
        cell(shape, form)
        for shape in ordered
        for form in sorted(FORMS, key=lambda form: (form[1], form[2]))
        if wanted(shape, form)
    ]
