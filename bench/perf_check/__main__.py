"""Is a tree slower than the one it came from? scripts/perf_check.sh runs this.

SPDX-License-Identifier: MIT
"""

import argparse
import json
import pathlib
import sys

from perf_check import programs, trees, verdict

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHAPES = "32x512x2x2,2x320x4x4x4,32x256x8x8,8x64x32x32,1x64x128x128,128x64x32x32,1x32x512x512"

DESCRIPTION = """\
Builds two trees, runs their benchmarks in turn, round by round, and compares each row's times. A row has lost when it
is slower by more than the threshold in the median of the rounds, and slower at all in three of four of them. Such rows
are measured again, alone and twice as long: those that lose again fail the check. Nothing else does, so that a busy
machine makes the check long-winded, but not wrong.
"""

EPILOG = """\
exit status: 0 no loss, 1 a confirmed loss, or a row that only HEAD gets wrong; 2 the check could not be made

examples:
  scripts/perf_check.sh                        what this branch, with what is not committed, does to speed
  scripts/perf_check.sh HEAD                   the same of what is not committed alone
  scripts/perf_check.sh v0.1.0 main            one commit against another
  scripts/perf_check.sh --filter=avx2 --shapes=cache --rounds=9
  scripts/perf_check.sh --base-build=build/before --head-build=build/release    builds that are there already

The builds stay in build/perf_check, and are made up to date the next time.
"""


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/perf_check.sh", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("base", nargs="?", help="commit to compare with (where the branch left main; on main the last)")
    parser.add_argument("head", nargs="?", help="commit to judge (the working tree, as it is)")
    parser.add_argument("--shapes", default=SHAPES, help="as of haline_bench (some tiny, in cache, in memory)")
    parser.add_argument("--filter", help="rows, a regular expression (those of the best back end, and the copies)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of each call (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="runs of each build (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.02, help="of each of a row's 3 repetitions (%(default)s)")
    parser.add_argument("--threshold", type=float, default=0.1, help="share of time that is a loss (%(default)s)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all that was measured there")
    for side in verdict.SIDES:
        parser.add_argument(f"--{side}-build", type=pathlib.Path, metavar="FOLDER", help=f"take this as {side}'s build")
    arguments = parser.parse_args(words)
    for name, least in (("rounds", 1), ("threads", 1), ("seconds", 1e-6), ("threshold", 0)):
        if not getattr(arguments, name) >= least:
            parser.error(f"--{name}: {getattr(arguments, name)} found, {least} and up wanted")
    for side in verdict.SIDES:
        if getattr(arguments, side) and getattr(arguments, f"{side}_build"):
            parser.error(f"--{side}-build: found with the commit {getattr(arguments, side)}, one of them wanted")
    return arguments


class Progress:
    """One line on a terminal that says what goes on; nothing where there is none."""

    def __init__(self) -> None:
        self.on = sys.stderr.isatty()

    def say(self, text: str) -> None:
        if self.on:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()


def make_builds(arguments: argparse.Namespace, progress: Progress) -> tuple[dict[str, pathlib.Path], dict[str, str]]:
    """The build folder of each side, and what it is of."""
    builds, names, room = {}, {}, ROOT / "build" / "perf_check"
    for side in verdict.SIDES:
        given, revision = getattr(arguments, f"{side}_build"), getattr(arguments, side)
        if given:
            builds[side], names[side] = given.resolve(), str(given)
            continue
        if side == "head" and not revision:
            source, names[side] = ROOT, "the working tree"
        else:
            names[side] = trees.commit(ROOT, revision) if revision else trees.default_base(ROOT)
            source = trees.checkout(ROOT, names[side], room / f"{side}-source")
        progress.say(f"building {side}: {names[side]}")
        builds[side] = trees.build(ROOT, source, room / f"{side}-build", room / f"{side}-build.log")
    return builds, names


def main(words: list[str]) -> int:
    arguments, progress = parse(words), Progress()
    try:
        builds, names = make_builds(arguments, progress)
        pattern = arguments.filter
        if pattern is None:
            pattern = f"^(copy|stream)/|{programs.best_backend(builds['head'] / 'bench' / programs.SHAPED)}"
        both = programs.Programs(builds, arguments.shapes, pattern, arguments.threads, arguments.seconds)
        done = 0

        def run(side: str, rows: list[str] | None) -> verdict.Times:
            nonlocal done
            done += 1
            of = 2 * arguments.rounds
            progress.say(f"run {done} of {of}" if rows is None else f"{len(rows)} again: run {done - of} of {2 * of}")
            return both.run(side, rows)

        report = verdict.check(run, arguments.rounds, arguments.threshold)
    except (trees.TreeError, programs.ProgramError) as error:
        progress.say("")
        print(f"perf_check: {error}", file=sys.stderr)
        return 2
    progress.say("")
    print(f"base: {names['base']}\nhead: {names['head']}\n")
    print("\n".join(verdict.table(report)))
    if arguments.json:
        arguments.json.write_text(json.dumps({"names": names} | verdict.as_json(report), indent=1) + "\n")
    if not report.rows:
        print("\nperf_check: no rows that both builds have", file=sys.stderr)
        return 2
    lost = ", ".join(row.name for row in report.lost)
    broken = ", ".join(report.broken)
    print(f"\n{f'FAILED: slower: {lost}' if lost else f'FAILED: wrong: {broken}' if broken else 'passed'}")
    return 0 if report.passed else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
