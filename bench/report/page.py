"""The report's files: JSON, CSV, Markdown, plots; and a page of prose whose marked places are filled with its tables.

A place is `<!-- report: NAME -->` ... `<!-- end -->`; what is between is replaced, everything else is left alone.
"""

import argparse
import json
import pathlib
import re

from . import schedules, table
from .summary import Report, read

PLACE = re.compile(r"(<!-- report: ([\w -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables(report: Report, made_by: str, schedules_file: pathlib.Path | None) -> dict[str, str]:
    """The texts that a page can have, by name."""
    return {
        "machine": table.machine(report, made_by),
        "score": table.score(report),
        "losses": table.losses(report),
        "wrong results": table.wrongs(report),
        "goals": table.goals(report),
        "cells": table.all_cells(report, table.FORMS),
        "odd": table.odd(report),
        "calls": table.calls(report),
        "accuracy": table.accuracy(report),
        "schedules": schedules.table(schedules_file),
    }


def fill(page: str, texts: dict[str, str]) -> str:
    """The page with its places filled. ValueError where a place names no table, or none is there."""
    if not PLACE.search(page):
        raise ValueError("page: no place found, <!-- report: NAME --> and <!-- end --> wanted")

    def replacement(match: re.Match) -> str:
        if match[2] not in texts:
            raise ValueError(f"page: place {match[2]!r} found, one of {', '.join(texts)} wanted")
        return f"{match[1]}\n{texts[match[2]].strip()}\n\n{match[3]}"

    return PLACE.sub(replacement, page)


def write(arguments: argparse.Namespace) -> int:
    """Writes the files, and says on the terminal how haline stands."""
    from . import plots  # matplotlib takes its time

    out = arguments.out
    report = read(out)
    texts = tables(report, arguments.made_by, arguments.schedules)
    merged = {name: getattr(report, name) for name in vars(report)}
    (out / "report.json").write_text(json.dumps(merged, indent=1, allow_nan=False) + "\n")
    (out / "report.csv").write_text(table.as_csv(report))
    everything = texts | {"cells": table.all_cells(report)}
    titled = (f"## {name.capitalize()}\n\n{text}\n" for name, text in everything.items())
    (out / "report.md").write_text("# haline beside its peers\n\n" + "".join(titled))
    plots.draw(report, out)
    if arguments.page:
        arguments.page.write_text(fill(arguments.page.read_text(), texts))
        folder = arguments.page.with_suffix("")
        folder.mkdir(exist_ok=True)
        plots.draw(report, folder)
    for name in ("machine", "score", "goals", "losses", "wrong results"):
        print(f"\n== {name}\n\n{texts[name]}", end="")
    print(f"\nAll of it: {out}/report.md, report.csv, report.json, *.png")
    return 0
