"""The report's tables, as Markdown and CSV."""

import collections.abc
import csv
import io

from .cells import REGIMES
from .summary import Contest, Report, Row, goal, regime_fraction, scores, totals

FORMS = {  # those of the big tables, and what to call them
    "forward/f32/nchw": "Forward, float32, channels first",
    "forward/f32/nhwc": "Forward, float32, channels last",
    "forward+leaky_relu/f32/nchw": "Forward with leaky ReLU, float32, channels first",
    "forward+pictures/f32/nchw": "Forward, pictures, float32, channels first",
    "forward+pictures/f32/nhwc": "Forward, pictures, float32, channels last",
    "forward/bf16/nchw": "Forward, bfloat16, channels first",
    "backward/f32/nchw": "Backward, float32, channels first",
    "backward/f32/nhwc": "Backward, float32, channels last",
    "backward+leaky_relu/f32/nchw": "Backward with leaky ReLU, float32, channels first",
}
DASH = "-"


def markdown(head: list[str], rows: collections.abc.Iterable[list[str]]) -> str:
    """A table; all but the first column to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """With so many digits, as a person would write it."""
    if value is None:
        return DASH
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{max(0, digits - whole)}f}"


def error(value: float | str | None) -> str:
    """As in 3e-07; 0 as such."""
    if value is None:
        return DASH
    if isinstance(value, str):
        return value
    return "0" if value == 0 else f"{value:.0e}"


def spread(row: Row) -> str:
    """Half the distance of the quartiles, in percent of the median."""
    return f"±{50 * (row['high'] - row['low']) / row['seconds']:.0f} %"


def machine(report: Report, made_by: str = "") -> str:
    """What it was measured on, and with."""
    rows = [[name, value] for name, value in report.machine.items() if value]
    rows += [["peers", ", ".join(f"{name} {report.peers[name]}" for name in report.others)]]
    rows += [[f"left out: {name}", reason] for name, reason in report.missing.items()]
    if made_by:
        rows += [["made by", f"`{made_by}`"]]
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value.replace('|', '/')} |\n" for name, value in rows)


def score(report: Report) -> str:
    """Cells won, and the geometric means."""
    contests = report.contests()
    rows = [
        [
            one.form,
            str(one.threads),
            f"{one.won} of {one.cells}",
            number(one.ahead),
            *map(number, one.ahead_of.values()),
        ]
        for one in scores(contests, report.others)
        if one.cells
    ]
    total = totals(contests)
    text = markdown(["form", "threads", "cells won", "x best peer", *(f"x {peer}" for peer in report.others)], rows)
    return text + (
        f"\nOver all cells, geometric means against the best peer of each: {number(total['forward'])} forward, "
        f"{number(total['backward'])} backward.\n"
    )


def losses(report: Report) -> str:
    """The cells in which a peer is at least as fast."""
    rows = [
        [
            f"{contest.form}/{contest.shape}",
            str(contest.threads),
            number(contest.haline["gb_per_s"]),
            f"{contest.best['who']} {number(contest.best['gb_per_s'])}",
            number(contest.ahead_of(contest.best), 2),
        ]
        for one in scores(report.contests(), report.others)
        for contest in one.lost
    ]
    if not rows:
        return "None.\n"
    return markdown(["cell", "threads", "haline GB/s", "best peer GB/s", "haline x best"], rows)


def wrongs(report: Report) -> str:
    """The results that were so wrong that they were not timed."""
    rows = [
        [row["cell"], str(row["threads"]), row["who"], row["note"]]
        for row in report.rows
        if row["note"].startswith("wrong result")
    ]
    return markdown(["cell", "threads", "who", "what"], rows) if rows else "None.\n"


def goals(report: Report) -> str:
    """haline's smallest fraction of a copy in each regime, beside the goal; bold where it is reached."""
    contests = report.contests()
    text = ""
    for direction in ("forward", "backward"):
        forms = sorted({one.form for one in contests if one.form.startswith(f"{direction}/")}, key=_form_order)
        for threads in report.threads if forms else []:
            rows = []
            for regime in REGIMES:
                wanted = goal(regime, direction, threads)
                shapes = set(report.sets[regime.name])
                found = [regime_fraction(contests, shapes, form, threads) for form in forms]
                cells = [
                    f"**{value:.2f}**" if value and wanted and value >= wanted else number(value, 2) for value in found
                ]
                rows.append([regime.what, number(wanted, 2), *cells])
            head = [f"{direction}, {threads} thread{'s' if threads > 1 else ''}", "goal"]
            text += markdown(head + [form.partition("/")[2].replace("/", " ") for form in forms], rows) + "\n"
    return text


def _form_order(form: str) -> tuple[int, str]:
    return (["f32", "bf16", "f16"].index(form.split("/")[1]), form)


def cells(report: Report, form: str, threads: int) -> str:
    """GB/s by shape: the copy, haline with its fraction and spread, the peers; each with its error."""
    contests = [one for one in report.contests() if one.form == form and one.threads == threads and one.haline]
    peers = [peer for peer in report.others if any(peer in one.peers for one in contests)]
    if not contests:
        return ""

    def peer_cell(contest: Contest, peer: str) -> str:
        row = contest.peers.get(peer)
        return f"{number(row['gb_per_s'])} ({error(row['error'])})" if row else DASH

    rows = [
        [
            contest.shape,
            number(contest.copy["gb_per_s"]),
            f"{number(contest.haline['gb_per_s'])} {spread(contest.haline)} ({error(contest.haline['error'])})",
            number(contest.of_copy, 2),
            number(contest.ahead_of(contest.best), 2),
            *(peer_cell(contest, peer) for peer in peers),
        ]
        for contest in contests
    ]
    baseline = "copy" if form.startswith("forward") else "stream"
    return markdown(["shape", baseline, "haline", f"of {baseline}", "x best", *peers], rows)


def all_cells(report: Report, forms: collections.abc.Iterable[str] | None = None) -> str:
    """A table for each form and number of threads."""
    every = list(dict.fromkeys(one.form for one in report.contests()))
    text = ""
    for form in every if forms is None else forms:
        for threads in report.threads:
            table = cells(report, form, threads)
            if table:
                title = FORMS.get(form, form)
                text += f"**{title}, {threads} thread{'s' if threads > 1 else ''}**\n\n{table}\n"
    return text


def odd(report: Report) -> str:
    """Planes that are no multiple of 64 beside those that are."""
    shapes = set(report.sets["odd"])
    rows = [
        [contest.shape, str(contest.threads), number(contest.haline["gb_per_s"]), number(contest.of_copy, 2)]
        for contest in report.contests()
        if contest.form == "forward/f32/nchw" and contest.shape in shapes and contest.haline
    ]
    return markdown(["shape", "threads", "haline GB/s", "of copy"], rows)


def accuracy(report: Report) -> str:
    """Everyone's error by input."""
    names = ["haline", *report.others]
    rows = [
        [f"{row['input']}", row["shape"], *(error(row["errors"].get(name)) for name in names)]
        for row in report.accuracy
    ]
    return markdown(["input", "shape", *names], rows)


def as_csv(report: Report) -> str:
    """Every row."""
    text = io.StringIO()
    if report.rows:
        writer = csv.DictWriter(text, list(report.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(report.rows)
    return text.getvalue()


def calls(report: Report) -> str:
    """Microseconds a call on the smallest tensor, where the call is what costs."""
    names = list(report.peers)

    def microseconds(row: Row | None) -> str:
        return number(row["seconds"] * 1e6) if row else DASH

    smallest = [one for one in report.contests() if one.shape == "2x6x2x4" and one.haline]
    rows = [
        [contest.form, str(contest.threads), *(microseconds(contest.row(name)) for name in names)]
        for contest in smallest
    ]
    return markdown(["microseconds a call, 2x6x2x4", "threads", *names], rows)
