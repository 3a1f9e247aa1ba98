"""The two source trees, and their builds in build/perf_check: one recipe for both, whatever they say themselves.

SPDX-License-Identifier: MIT
"""

import os
import pathlib
import subprocess

OPTIONS = ["-DCMAKE_BUILD_TYPE=Release", "-DHALINE_BUILD_TESTS=OFF", "-DHALINE_BUILD_TOOL=OFF",
           "-DHALINE_BUILD_PYTHON=OFF", "-DHALINE_BUILD_BENCHMARKS=ON"]  # fmt: skip


class TreeError(Exception):
    """A revision that is none, or one that does not build."""


def git(root: pathlib.Path, *words: str) -> str:
    ran = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise TreeError(f"git {' '.join(words)}: {ran.stderr.strip()}")
    return ran.stdout.strip()


def commit(root: pathlib.Path, revision: str) -> str:
    try:
        return git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except TreeError:
        raise TreeError(f"'{revision}' found, a commit, branch or tag wanted") from None


def default_base(root: pathlib.Path) -> str:
    """Where the current branch left main; on main itself the last commit, or the one before if nothing has changed."""
    here = commit(root, "HEAD")
    try:
        base = git(root, "merge-base", "main", "HEAD")
    except TreeError:  # there is no main
        base = here
    if base != here:
        return base
    return here if git(root, "status", "--porcelain", "--untracked-files=no") else commit(root, "HEAD~1")


def checkout(root: pathlib.Path, revision: str, folder: pathlib.Path) -> pathlib.Path:
    """A work tree of the revision in the folder."""
    if (folder / ".git").exists():
        git(folder, "checkout", "--quiet", "--detach", "--force", revision)
    else:
        git(root, "worktree", "prune")
        git(root, "worktree", "add", "--quiet", "--detach", "--force", str(folder), revision)
    return folder


def build(root: pathlib.Path, source: pathlib.Path, folder: pathlib.Path, log: pathlib.Path) -> pathlib.Path:
    """Builds the library and its benchmarks. Gives the build folder."""
    halide = pathlib.Path(os.environ.get("Halide_DIR") or root / ".venv/halide/lib64/cmake/Halide")
    configure = ["cmake", "-S", source, "-B", folder, "-G", "Ninja", f"-DHalide_DIR={halide}",
                 f"-DHalideHelpers_DIR={halide.parent / 'HalideHelpers'}", *OPTIONS]  # fmt: skip
    make = ["cmake", "--build", folder, "--target", "haline_bench", "haline_call_bench"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        for command in (configure, make):
            if subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False).returncode != 0:
                out.flush()
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
                raise TreeError(f"{source} does not build ({log}):\n{tail}")
    return folder
