"""The command line: the C++ tool that the package holds, and where its CMake package is.

python -m haline --cmake-dir    the folder for CMake's haline_DIR
python -m haline ...            the tool `haline`
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_folder = Path(__file__).resolve().parent


def main() -> None:
    """Runs the tool in place of this process."""
    arguments = sys.argv[1:]
    if arguments == ["--cmake-dir"]:
        print(_folder / "lib" / "cmake" / "haline")
        return
    tool = _folder / "bin" / "haline"
    if not tool.exists():
        sys.exit("haline: built without the command line, as libpng, libjpeg, CLI11 or nlohmann-json was missing")
    sys.stdout.flush()
    os.execv(tool, ["haline", *arguments])


if __name__ == "__main__":
    main()
