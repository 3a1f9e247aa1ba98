#!/usr/bin/env bash
# Measures haline beside its peers (PyTorch, ONNX Runtime, OpenVINO, oneDNN, ncnn) and beside a copy of the same bytes:
# forward and backward, channels first and last, float32, bfloat16 and float16. Every result is held against float64
# before it is timed. Sets up what it needs, once: the peers in .venv-peers, some GB from PyPI.
#
#   scripts/bench.sh [OPTION..]        about 15 minutes; the machine should have nothing else to do
#
#   --quick, --full   under 3 minutes: small shapes, float32; or every shape in every form, an hour
#   --report          also fills the tables of docs/performance.md and draws its plots
#   --out DIR         where the report goes; default build/report: report.md, .csv, .json, *.png
#   --threads "1 2"   the numbers of threads, one process each; default: 1, and 2 where there are 2 processors
#   --shapes LIST     only these, in every form, as 8x64x32x32,2x6x2x4
#   --filter REGEX    only the cells that it finds, as 'forward/f32/nchw' or 'leaky_relu.*8x64x32x32'
#   --peers LIST      only these, as haline,pytorch
#
# docs/performance.md tells how to read it.
# SPDX-License-Identifier: MIT
made_by="scripts/bench.sh $*"
out=build/report threads='' measure=() write=()
need() { [[ -n ${2:-} ]] || { echo "scripts/bench.sh: $1 wants a value; see --help" >&2; exit 2; }; }
while (($#)); do
  case $1 in
  --quick | --full) measure+=(--profile "${1#--}") ;;
  --report) write+=(--page docs/performance.md) ;;
  --out | --threads) need "$@"; declare "${1#--}=$2"; shift ;;
  --shapes | --filter | --peers) need "$@"; measure+=("$1=$2"); shift ;;
  -h | --help)
    sed -n '2,/SPDX/{/SPDX/!s/^#\( \|$\)//p}' "$0"
    exit
    ;;
  *)
    echo "scripts/bench.sh: unknown option '$1'; see --help" >&2
    exit 2
    ;;
  esac
  shift
done
if [[ -n $threads && ! $threads =~ ^\ *[1-9][0-9]*(\ +[1-9][0-9]*)*\ *$ ]]; then
  echo "scripts/bench.sh: --threads: '$threads' found, positive numbers such as '1 2' wanted" >&2
  exit 2
fi
out=$(realpath -m -- "$out")
cd "$(dirname "$0")/.." || exit
source scripts/setup.sh bench
peers=$haline_root/.venv-peers

# The environment of the peers, unless it is as the list wants it. A peer that can't be had is left out.
set_up_peers() {
  local list=scripts/requirements-peers.txt stamp=$peers/.haline-peers key line
  key="$haline_root $(sha256sum <"$list")"
  [[ ! -e $stamp || $(<"$stamp") != "$key" ]] || return 0
  haline_say "installing the peers into .venv-peers"
  grep -qsF "$peers" "$peers/bin/pip" || python3 -m venv --clear "$peers"
  local pip=("$peers/bin/python" -m pip --disable-pip-version-check install --progress-bar off --quiet)
  if "${pip[@]}" -r "$list" >&2; then
    printf '%s\n' "$key" >"$stamp"
    return
  fi
  haline_say "not all at once; one by one"
  grep -v '^#' "$list" | while read -r line; do
    "${pip[@]}" "$line" >&2 </dev/null || haline_say "left out: $line"
  done
}

# haline's own package, of this tree: what has not changed is not built again.
install_haline() {
  local wheels
  wheels=$(mktemp -d)
  haline_wheel "$wheels" --quiet >&2
  "$peers/bin/python" -m pip --disable-pip-version-check install --quiet --no-deps --force-reinstall \
    "$wheels"/haline-*.whl >&2
  rm -rf "$wheels"
}

haline_say "building (build/release, build/python)"
fresh=()
[[ -e build/release/CMakeCache.txt ]] || fresh=(-DHALINE_BUILD_TESTS=OFF)
haline_configure release "${fresh[@]}" -DHALINE_BUILD_BENCHMARKS=ON >&2
cmake --build build/release --target haline_bench haline_baseline >&2
set_up_peers
install_haline

if [[ -z $threads ]]; then
  threads=1
  (($(nproc) == 1)) || threads="1 2"
fi
report() { PYTHONPATH=bench "$peers/bin/python" -m report "$@"; }
status=0
mkdir -p "$out"
rm -f "$out"/threads-*.json
for count in $threads; do
  haline_say "measuring, $count thread(s)"
  report measure --threads "$count" --out "$out" "${measure[@]}" || status=$?
done
report write "$out" --made-by "$made_by" --schedules build/tune/schedules.json "${write[@]}" || status=$?
exit "$status"
