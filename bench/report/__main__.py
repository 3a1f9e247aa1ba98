"""The command line: `measure` on one number of threads, then `write` the report of what was measured."""

import argparse
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DESCRIPTION = """haline beside its peers and beside a copy of the same bytes. scripts/bench.sh runs both steps:

  python -m report measure --threads 1 --out DIR     takes the times, writes DIR/threads-1.json
  python -m report write DIR                         makes DIR/report.{json,csv,md} and plots of all that is there
  python -m report write DIR --page docs/performance.md   and fills the tables of that page
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "report", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    measure = commands.add_parser("measure", help="take the times")
    measure.add_argument("--out", type=pathlib.Path, required=True, help="the folder of the report")
    measure.add_argument("--threads", type=int, default=1, help="for everyone; the process keeps to so many processors")
    measure.add_argument("--profile", choices=["quick", "default", "full"], default="default", help="how much")
    measure.add_argument("--filter", default="", help="only cells that this regular expression finds, as forward/f32")
    measure.add_argument("--shapes", default="", help="only these, as 8x64x32x32,2x6x2x4; each in every form")
    measure.add_argument("--peers", default="", help="only these, as haline,pytorch")
    measure.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help="the build folder")
    measure.add_argument("--only-cells", action="store_true", help="without the curve and the accuracy")
    write = commands.add_parser("write", help="make the report")
    write.add_argument("out", type=pathlib.Path, help="the folder that `measure` wrote to")
    write.add_argument("--page", type=pathlib.Path, help="fill the tables of this page too, its plots beside it")
    write.add_argument("--schedules", type=pathlib.Path, help="what the tuner wrote about schedules, where it did")
    write.add_argument("--made-by", default="", help="what to say that the report was made by")
    return parser


def _measure(arguments: argparse.Namespace) -> int:
    # One number of threads means so many processors, whatever a peer's runtime makes of its own settings.
    processors = sorted(os.sched_getaffinity(0))
    if arguments.threads > len(processors):
        print(f"report: --threads: {arguments.threads} found, at most {len(processors)} wanted", file=sys.stderr)
        return 2
    os.sched_setaffinity(0, processors[-arguments.threads :])
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)

    from . import process  # after the above, which the peers read when they are loaded

    return process.measure(arguments, ROOT)


def _write(arguments: argparse.Namespace) -> int:
    from . import page

    return page.write(arguments)


def main() -> int:
    """The exit status: 0 where all went well, 1 where haline gave a wrong result, 2 for wrong arguments."""
    arguments = _parser().parse_args()
    try:
        return _measure(arguments) if arguments.command == "measure" else _write(arguments)
    except (ValueError, OSError) as error:
        print(f"report: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
