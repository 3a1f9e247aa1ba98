"""The library with other kernels: compiled by the build's own generators, linked with its other objects."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from .kernels import Build, Kernel, Params

_ROOT = Path(__file__).resolve().parents[2]


class CompileError(Exception):
    """A generator that failed; its first line of explanation."""


def _explain(result: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (result.stderr + result.stdout).splitlines() if line.strip()]
    told = [line for line in lines if "rror" in line] or lines[-1:] or [f"exit status {result.returncode}"]
    # What follows "Error:" is often on the next line.
    at = lines.index(told[0]) if told[0] in lines else 0
    return " ".join(lines[at : at + 2])[:300]


class Variants:
    """Makes libraries under `folder`, each once."""

    def __init__(self, build: Build, folder: Path, autoscheduler_folder: Path | None = None) -> None:
        self._build = build
        self._folder = folder
        self._autoschedulers = autoscheduler_folder
        self._objects = [Path(line) for line in (build.folder / "runtime/objects.txt").read_text().split("\n") if line]
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def base(self) -> Path:
        """The library as it was built."""
        return self._build.folder / "runtime" / "libhaline.so"

    def _object(self, kernel: Kernel, params: Params, autoscheduler: str = "") -> Path:
        generator = self._build.folder / "generators" / f"haline_{kernel.generator}_generator"
        target = kernel.target
        if autoscheduler:  # which may be wrong: then it is to say so, and not to write anywhere
            target = target.replace("-no_asserts", "").replace("-no_bounds_query", "")
        arguments = [f"target={target}", *kernel.params, *(f"{k}={v}" for k, v in params.items())]
        command = [str(generator), "-g", f"haline_{kernel.generator}", "-f", kernel.function, "-e", "object"]
        if autoscheduler:
            plugin = self._autoschedulers / f"libautoschedule_{autoscheduler.lower()}.so"
            command += ["-p", str(plugin)]
            arguments += [f"autoscheduler={autoscheduler}", "autoscheduler.parallelism=1"]
        # A generator that was built anew makes other objects.
        key = " ".join([*command, *arguments, str(generator.stat().st_mtime_ns)])
        name = f"{kernel.function}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        path = self._folder / f"{name}.o"
        if not path.exists():
            done = subprocess.run(
                [*command, "-n", name, "-o", str(self._folder), *arguments],
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            if done.returncode != 0 or not path.exists():
                path.unlink(missing_ok=True)
                raise CompileError(_explain(done))
        return path

    def compile(self, kernel: Kernel, params: Params) -> Path:
        return self._object(kernel, params)

    def autoschedule(self, kernel: Kernel, autoscheduler: str) -> Path:
        return self._object(kernel, {}, autoscheduler)

    def link(self, replaced: dict[Kernel, Path]) -> Path:
        """The library with these objects in place of its own."""
        by_name = {f"haline_{kernel.function}.o": path for kernel, path in replaced.items()}
        objects = [by_name.get(path.name, path) for path in self._objects]
        stamp = "\n".join(f"{path} {path.stat().st_mtime_ns}" for path in objects)
        path = self._folder / f"haline-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}.so"
        if path.exists():
            return path
        response = path.with_suffix(".rsp")
        response.write_text("\n".join(f'"{o}"' for o in objects))
        made = path.with_suffix(".tmp")
        subprocess.run(
            [
                self._build.compiler,
                "-shared",
                "-o",
                str(made),
                f"@{response}",
                f"-Wl,--version-script={_ROOT / 'runtime/exports.map'}",
                "-Wl,--gc-sections",
                "-pthread",
                "-ldl",
            ],
            check=True,
        )
        made.rename(path)
        response.unlink()
        return path
