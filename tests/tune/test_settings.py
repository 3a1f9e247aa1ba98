"""The tuner's use of `haline select`: a script stands for it."""

import pytest
from tune import settings
from tune.measure import Workload

FILE = """haline tuning 1
library = 0.1.0
processor = Some CPU, family 6
f32.forward.cached.task_elements = 65536
f32.forward.memory.backend = x86-avx2
checksum = 0123456789abcdef
"""


def script(folder, body):
    path = folder / "haline"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_the_words_of_the_command(tmp_path):
    w = Workload("x86-avx2", "bfloat16", "backward-relu", "channels-last", 2, "taskset -c 1")
    assert settings.command(tmp_path / "haline", w, ["1x2x3", "4x5x6"], 7, tmp_path / "out") == (
        f"taskset -c 1 {tmp_path}/haline select --dtype=bfloat16 --layout=channels-last --pass=backward --threads=2 "
        f"--shape=1x2x3 --shape=4x5x6 --seconds=7.0 {tmp_path}/out"
    ).split(" ")
    assert "--pass=forward" in settings.command(tmp_path, Workload("", form="relu"), [], 1, tmp_path)


def test_what_is_found_is_counted(tmp_path):
    (tmp_path / "text").write_text(FILE)
    tool = script(tmp_path, f'echo report; for last; do :; done; cp {tmp_path}/text "$last"')
    assert settings.search(tool, Workload(""), ["1x2x3"], 1, tmp_path / "out") == "report\n"
    assert settings.count(tmp_path / "out") == 2


def test_a_failure_is_told(tmp_path):
    with pytest.raises(SystemExit, match="exit status 3 found"):
        settings.search(script(tmp_path, "exit 3"), Workload(""), [], 1, tmp_path / "out")
