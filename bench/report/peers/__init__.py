"""Those who do instance norm: one file each, with one function, `load(threads)`, that gives a Peer or raises.

A peer is used as its users would: its own threads, its own fusion, its output written where the caller wants it if it
can. What a peer can't do, it refuses, with the reason; a peer that is not installed is left out by name.
"""

import collections.abc
import dataclasses
import importlib
import typing

from ..cells import Cell
from ..data import Problem
from ..measure import Timer, clock

Results = dict[str, typing.Any]  # "y", or "dx", "dscale" and "dshift", as arrays; y and dx [N, C, *]


@dataclasses.dataclass
class Prepared:
    """A problem, ready to be run any number of times."""

    call: collections.abc.Callable[[], object]
    results: collections.abc.Callable[[], Results]  # of the last call
    how: str = ""  # the implementation, where the peer tells
    timer: Timer | None = None  # where the peer has a better one than a loop in Python

    def timed(self) -> Timer:
        """What measures it."""
        return self.timer or clock(self.call)


class Peer(typing.Protocol):
    """One that does instance norm."""

    name: str
    version: str

    def refuses(self, cell: Cell) -> str:
        """Why this cell can't be had; "" where it can."""

    def prepare(self, problem: Problem) -> Prepared:
        """Everything that a program would do once."""


NAMES = ["haline", "haline-c", "pytorch", "onnxruntime", "openvino", "onednn", "ncnn"]
EARLY = ["onednn"]  # loaded first: its TBB must not be another's older one


def load(names: list[str], threads: int) -> tuple[list[Peer], dict[str, str]]:
    """The peers that are here, and why the others are not."""
    here: dict[str, Peer] = {}
    missing = {}
    for name in names:
        if name not in NAMES:
            raise ValueError(f"peer: {name} found, one of {', '.join(NAMES)} wanted")
    for name in sorted(names, key=lambda name: name not in EARLY):
        try:
            here[name] = importlib.import_module(f".{name.replace('-', '_')}_peer", __name__).load(threads)
        except Exception as error:  # a peer may fail to load in any way of its own
            missing[name] = f"{type(error).__name__}: {error}".splitlines()[0]
    return [here[name] for name in names if name in here], missing
