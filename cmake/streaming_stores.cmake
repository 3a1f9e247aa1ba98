# Makes a kernel's stores of whole aligned vectors go past the caches, which Halide 21 has no directive for: a run as
# `cmake -DFROM=kernel.s -DTO=streaming.s -P streaming_stores.cmake` over the assembly that Halide wrote. Only what
# generators/stream.h says is aligned is; the stack's vectors, and all others, are left alone. A store of one
# kind or of the other, the same bytes arrive.
# SPDX-License-Identifier: MIT
file(READ "${FROM}" code)
set(vector "[ \t]+%[xyz]mm[0-9]+, [-0-9]*\\(%r([0-9a-d]|[sb]i|bp)")
foreach(pair IN ITEMS "movaps|movntps" "movapd|movntpd" "movdqa|movntdq" "movdqa32|movntdq" "movdqa64|movntdq")
  string(REPLACE "|" ";" pair "${pair}")
  list(GET pair 0 plain)
  list(GET pair 1 streaming)
  string(REGEX REPLACE "([\n\t ]v?)${plain}(${vector})" "\\1${streaming}\\2" code "${code}")
endforeach()
if(NOT code MATCHES "movnt(ps|pd|dq)")
  message(FATAL_ERROR "${FROM} has no stores of aligned vectors that could go past the caches")
endif()
file(WRITE "${TO}" "${code}")
