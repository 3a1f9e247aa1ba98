"""How libraries are made: generators and a compiler that only write down what they were told."""

import dataclasses

import pytest
from test_session import APPLY, SPACES
from tune.kernels import Build
from tune.variants import CompileError, Variants

GENERATOR = """#!/bin/sh
for word; do
  case $word in
  unroll=2) echo "Unhandled exception: Error: no such schedule" >&2; exit 1 ;;
  esac
done
while [ "$1" != -n ]; do shift; done
name=$2
while [ "$1" != -o ]; do shift; done
echo "$@" > "$2/$name.o"
"""

COMPILER = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
for word; do case $word in @*) cp "${word#@}" "$2" ;; esac; done
"""


@pytest.fixture
def variants(tmp_path):
    for folder in ("generators", "runtime"):
        (tmp_path / folder).mkdir()
    objects = [tmp_path / name for name in ("plan.o", "haline_kernel_apply_f32_x86_avx2.o")]
    for path in objects:
        path.write_text("")
    (tmp_path / "runtime" / "objects.txt").write_text("\n".join(map(str, objects)) + "\n")
    for path, text in (("generators/haline_apply_generator", GENERATOR), ("compiler", COMPILER)):
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o755)
    build = Build(tmp_path, str(tmp_path / "compiler"), "21", SPACES, [APPLY])
    return Variants(build, tmp_path / "variants", tmp_path)


def test_a_kernel_takes_the_place_of_its_own_object(variants):
    path = variants.compile(APPLY, {"unroll": "4"})
    assert path.read_text().endswith("target=x86-64 element=f32 unroll=4\n")
    assert variants.compile(APPLY, {"unroll": "4"}) == path
    assert variants.compile(APPLY, {"unroll": "1"}) != path
    library = variants.link({APPLY: path})
    linked = library.read_text()
    assert str(path) in linked and "plan.o" in linked and "haline_kernel_apply_f32_x86_avx2.o" not in linked
    assert variants.link({APPLY: path}) == library


def test_a_generator_that_fails_says_why(variants):
    with pytest.raises(CompileError, match="no such schedule"):
        variants.compile(APPLY, {"unroll": "2"})


def test_an_autoscheduler_s_kernel_checks_its_arguments(variants):
    kernel = dataclasses.replace(APPLY, target="x86-64-linux-avx-no_asserts-no_bounds_query-no_runtime")
    text = variants.autoschedule(kernel, "Li2018").read_text()
    assert "target=x86-64-linux-avx-no_runtime " in text
    assert "autoscheduler=Li2018" in text
    assert "-no_asserts-no_bounds_query" in variants.compile(kernel, {}).read_text()
