#!/usr/bin/env bash
# test.sh CMAKE: files of generators/schedules that are wrong stop the configuration, with a message that names what is.
# SPDX-License-Identifier: MIT
set -uo pipefail
cmake=$1 here=$(dirname "$0") folder=$(mktemp -d) failed=0 cases=0
trap 'rm -rf "$folder"' EXIT

# try WANTED EXPECTED CONTENT..: files of these contents are taken (right) or not (wrong), with EXPECTED in the output.
try() {
  local wanted=$1 expected=$2 output status=right i=0 content
  rm -f "$folder"/*
  for content in "${@:3}"; do
    i=$((i + 1))
    echo "$content" >"$folder/$i.${extension:-json}"
  done
  output=$("$cmake" "-DFOLDER=$folder" -P "$here/check.cmake" 2>&1) || status=wrong
  output=$(tr -s ' \n' ' ' <<<"$output") # CMake breaks lines
  cases=$((cases + 1))
  [[ $status == "$wanted" && $output == *"$expected"* ]] && return
  echo "$wanted, \"$expected\" wanted; $status found: $output"
  failed=1
}

# entry KERNEL PARAMS [BACKEND] [ELEMENT]
entry() {
  echo "{\"backend\": \"${3:-x86_avx512}\", \"element\": \"${4:-f32}\", \"kernel\": \"$1\", \"params\": $2}"
}
file() { echo "{\"schedules\": [$(IFS=,; echo "$*")]}"; }

good=$(entry apply '{"unroll": 4}')
try right ''
try right '' "$(file)"
try right 'HALINE_SCHEDULE_apply_f32_x86_avx512: unroll=4' "$(file "$good")"
try right 'HALINE_SCHEDULE_apply_f16_arm_neon: unroll=2' "$(file "$good" "$(entry apply '{"unroll": 2}' arm_neon f16)")"
try wrong '2.json: entry 0: apply, f32, x86_avx512 found, which' "$(file "$good")" "$(file "$good")"
try wrong 'which' "$(file "$good" "$good")"
try wrong '1.json: entry 0: kernel "aply" found, one of' "$(file "$(entry aply '{"unroll": 4}')")"
try wrong 'entry 1: backend "z80" found, one of x86_avx512,' "$(file "$good" "$(entry apply '{"unroll": 4}' z80)")"
try wrong 'element "f31" found, one of f32, f16, bf16, f64 wanted' "$(file "$(entry apply '{"unroll": 4}' x86_64 f31)")"
try wrong "coefficients for f16 found, which is f32's" "$(file "$(entry coefficients '{"unroll": 4}' x86_64 f16)")"
try wrong 'param "unrol" found, one of' "$(file "$(entry apply '{"unrol": 4}')")"
try wrong 'param "un.*" found' "$(file "$(entry apply '{"un.*": 4}')")"
try wrong 'param "element" found' "$(file "$(entry apply '{"element": "f64"}')")"
try wrong 'kernel apply: unroll = "3" found, one of 1, 2' "$(file "$(entry apply '{"unroll": 3}')")"
try wrong 'no params found, some wanted' "$(file "$(entry apply '{}')")"
try wrong 'no params found, some wanted' "$(file "$(entry apply 4)")"
try wrong 'backend, element, kernel and params wanted' "$(file '{"backend": "x86_64"}')"
try wrong 'backend, element, kernel and params wanted' "$(file 3)"
try wrong 'a list "schedules" wanted' '{}'
try wrong 'a list "schedules" wanted' "$(file "$good" | head -c 40)"
try wrong 'a list "schedules" wanted' ''

# Settings: their text, whatever is in a processor's name, between the marks of a literal.
extension=tuning
signed='haline tuning 1
processor = Xeon(R) @ 2.0 ${PATH} @PATH@; "V"
checksum = 1'
try right 'built in: '
try right "built in: R\"haline($(tr '\n' ' ' <<<"$signed"))haline\"," "$signed"
try right 'R"haline(haline tuning 1 a )haline", R"haline(haline tuning 1 b )haline",' $'haline tuning 1\na' $'haline tuning 1\nb'
try wrong '1.tuning: no settings found, a file that `haline select` wrote wanted' 'haline tuning 2'
try wrong '2.tuning: no settings found' "$signed" "$signed
)haline\""
try wrong '1.tuning: no settings found' ''

echo "$cases files of schedules"
exit "$failed"
