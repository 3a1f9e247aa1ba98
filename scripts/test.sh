#!/usr/bin/env bash
# Builds and runs every test; the last line counts them. Exit status 0 only if none failed.
#
#   scripts/test.sh [--slow] [--sanitizers]
#
#   --slow        also the tests that take minutes or much memory (ctest label `slow`)
#   --sanitizers  also everything under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer
#
# SPDX-License-Identifier: MIT
slow=no sanitizers=no
for option in "$@"; do
  case $option in
  --slow) slow=yes; export HALINE_TEST_SLOW=1 ;;
  --sanitizers) sanitizers=yes ;;
  -h | --help)
    sed -n '2,/SPDX/{/SPDX/!s/^#\( \|$\)//p}' "$0"
    exit
    ;;
  *)
    echo "scripts/test.sh: unknown option '$option'; see --help" >&2
    exit 2
    ;;
  esac
done
cd "$(dirname "$0")/.." || exit
source scripts/setup.sh test
passed=0 failed=0 skipped=0 status=0 failing=()
trap 'rm -rf "$scratch"' EXIT
scratch=$(mktemp -d)

# run_suite PRESET [CTEST_OPTION..]: build, test, count. A part that does not build counts as one failure.
run_suite() {
  local preset=$1 junit=$scratch/$1.xml options=("${@:2}")
  [[ $slow == yes ]] || options+=(-LE slow)
  haline_say "$preset: building (build/$preset)"
  # All of it is built; the demo may have left some out. (The benchmarks are for the machine they run on.)
  local parts=(-DHALINE_BUILD_TESTS=ON)
  [[ $preset == cross-* ]] || parts+=(-DHALINE_BUILD_BENCHMARKS=ON)
  # GPUs are the host's business, and the sanitizers know nothing of their drivers.
  [[ $preset != release ]] || parts+=("-DHALINE_GPU=opencl;cuda")
  if ! { haline_configure "$preset" "${parts[@]}" && cmake --build "build/$preset"; }; then
    haline_say "$preset: does not build"
    failed=$((failed + 1)) failing+=("$preset, which does not build")
    return
  fi
  haline_say "$preset: testing"
  ctest --preset "$preset" -j "$(nproc)" --no-tests=error --output-junit "$junit" "${options[@]}" || status=1
  count "$preset" "$junit"
}

# count PART JUNIT: adds what a JUnit file says to the sums.
count() {
  local counts p f s
  counts=$(python - "$2" <<'PY'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
suite = root if root.tag == "testsuite" else root[0]
number = lambda *names: sum(int(suite.get(name, 0)) for name in names)
failed, skipped = number("failures", "errors"), number("skipped", "disabled")
print(number("tests") - failed - skipped, failed, skipped)
PY
  ) || counts="0 1 0"
  read -r p f s <<<"$counts"
  ((f == 0)) || failing+=("$1")
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# The wheel, with the kernels of the release build, in an environment that has nothing of it.
run_python() {
  local venv=.venv-python wheels=$scratch/wheels
  haline_say "python: building the wheel (build/python)"
  if ! { haline_wheel "$wheels" && "$haline_venv/bin/python" -m venv --clear "$venv" &&
    "$venv/bin/python" -m pip --disable-pip-version-check install --progress-bar off --quiet \
      -r scripts/requirements-python.txt "$wheels"/haline-*.whl; }; then
    haline_say "python: does not build or install"
    failed=$((failed + 1)) failing+=("python, which does not build or install")
    return
  fi
  haline_say "python: testing"
  "$venv/bin/python" -m pytest -q --junit-xml="$scratch/python.xml" tests/python tests/report || status=1
  count python "$scratch/python.xml"
}

# The tuner, whose search library has an environment of its own (scripts/tune.sh's).
run_tuner() {
  haline_say "tuner: testing"
  if ! haline_tune_packages; then
    haline_say "tuner: its packages do not install"
    failed=$((failed + 1)) failing+=("tuner, whose packages do not install")
    return
  fi
  "$haline_tune_venv/bin/python" -m pytest -q -p no:cacheprovider --junit-xml="$scratch/tuner.xml" tests/tune || status=1
  count tuner "$scratch/tuner.xml"
}

haline_say "format"
rooms=(include generators runtime reference tools tests bench examples python)
if find "${rooms[@]}" \( -name '*.h' -o -name '*.hpp' -o -name '*.c' -o -name '*.cpp' \) -print0 |
  xargs -0 clang-format --dry-run -Werror && ruff check python bench tests/python tests/report tools/tune tests/tune &&
  ruff format --check python bench tests/python tests/report tools/tune tests/tune; then
  passed=$((passed + 1))
else
  failed=$((failed + 1)) failing+=(format)
fi

run_suite release
run_python
run_tuner
if [[ $(uname -m) != x86_64 ]]; then
  haline_say "cross-aarch64: not needed, this machine runs the suites of its own kind"
elif [[ $haline_cross == yes ]]; then
  run_suite cross-aarch64
else
  haline_say "cross-aarch64: SKIPPED, qemu-user and g++-aarch64-linux-gnu are not installed"
  skipped=$((skipped + 1))
fi
if [[ $sanitizers == yes ]]; then
  for preset in asan ubsan tsan; do run_suite "$preset"; done
fi

((failed == 0)) || status=1
((${#failing[@]} == 0)) || printf 'failing: %s\n' "${failing[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
