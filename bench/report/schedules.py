"""Hand schedules, Halide's autoschedulers and tuned schedules side by side, where the tuner has compared them.

The file is what `scripts/tune.sh --compare` writes: what it was made with, "gb_per_s", a list of {"shape": ..,
"copy": .., "hand": .., ..}, and "failures", a list of {"autoscheduler": .., "kernel": .., "how": ..}.
"""

import json
import pathlib

from .table import markdown, number

NONE = "Not measured: the tuner's comparison was not found.\n"


def table(file: pathlib.Path | None) -> str:
    """The comparison; a sentence where there is none."""
    if file is None or not file.exists():
        return NONE
    data = json.loads(file.read_text())
    columns = list(dict.fromkeys(name for row in data["gb_per_s"] for name in row if name != "shape"))
    rows = [[row["shape"], *(number(row.get(column)) for column in columns)] for row in data["gb_per_s"]]
    about = [str(data[name]) for name in ("backend", "form", "dtype", "layout") if name in data]
    text = f"Made by `{data['command']}`.\n\n" if "command" in data else ""
    text += markdown([" ".join(["GB/s", *about]), *columns], rows)
    failures = [
        [failure["autoscheduler"], failure["kernel"], failure["how"].replace("|", "/").splitlines()[0]]
        for failure in data.get("failures", [])
    ]
    return text + ("\n" + markdown(["autoscheduler", "kernel", "left out because it"], failures) if failures else "")
