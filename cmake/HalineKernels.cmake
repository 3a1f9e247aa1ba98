# From the list of generators/kernels.cmake to object files and the run-time table. The only caller of Halide's CMake
# functions.

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(HALINE_BACKENDS ${HALINE_X86_BACKENDS})
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(HALINE_BACKENDS ${HALINE_ARM_BACKENDS})
else()
  message(FATAL_ERROR "haline has no back end for ${CMAKE_SYSTEM_PROCESSOR}: x86-64 and AArch64 are supported")
endif()

# When cross-compiling, the generators come from a build for the host
# (-Dhaline-halide_generators_ROOT=<its build folder>) and only Halide's CMake functions are needed here.
if(CMAKE_CROSSCOMPILING)
  find_package(HalideHelpers REQUIRED)
else()
  find_package(Halide 21 REQUIRED COMPONENTS Halide shared)
endif()

function(haline_add_generator name)
  add_halide_generator(haline_${name}_generator SOURCES ${name}_generator.cpp)
  # statistics.h is a header of the generators that were built on the host; nothing to do for imported ones.
endfunction()

# Compiles every kernel for every back end. Sets HALINE_KERNEL_OBJECTS (with the one Halide runtime's) and
# HALINE_KERNEL_TARGETS, and writes kernel_table.inc: an initializer of runtime/kernels.h's KernelSet for each back end.
function(haline_add_kernels)
  set(dir "${CMAKE_CURRENT_BINARY_DIR}")
  set(objects "")
  set(targets "")
  set(table "")
  set(headers "")
  set(sanitizer "")
  if(HALINE_SANITIZER STREQUAL "address")
    set(sanitizer "-asan")
  endif()
  # For the first back end's system; without that it would be the host's, which does not go with -asan.
  string(REGEX MATCH "\\|[^-]+-[^-]+-[^-]+" system "${HALINE_BACKENDS}")
  string(SUBSTRING "${system}" 1 -1 system)
  add_halide_runtime(haline_halide_runtime TARGETS "${system}${sanitizer}" NO_THREADS ON)
  foreach(backend IN LISTS HALINE_BACKENDS)
    string(REPLACE "|" ";" fields "${backend}")
    list(GET fields 0 id)
    list(GET fields 1 target)
    string(REPLACE "_" "-" name "${id}")
    string(APPEND table "{\n  .name = \"${name}\",\n")
    foreach(kernel IN LISTS HALINE_KERNELS)
      string(REPLACE "|" ";" fields "${kernel}")
      list(POP_FRONT fields kernel_name generator)
      set(target_name haline_${kernel_name}_${id})
      set(function kernel_${kernel_name}_${id})  # not haline_*: kernels stay inside the library
      add_halide_library(${target_name}
                         FUNCTION_NAME ${function}
                         FROM haline_${generator}_generator
                         GENERATOR haline_${generator}
                         TARGETS "${target}${sanitizer}"
                         PARAMS ${fields}
                         USE_RUNTIME haline_halide_runtime)
      list(APPEND targets ${target_name})
      list(APPEND objects "${dir}/${target_name}.o")
      string(APPEND headers "#include \"${target_name}.h\"\n")
      string(APPEND table "  .${kernel_name} = {${function}, ${function}_metadata},\n")
    endforeach()
    string(APPEND table "},\n")
  endforeach()
  list(APPEND objects "${dir}/haline_halide_runtime.o")

  file(CONFIGURE OUTPUT "${dir}/kernel_headers.inc" CONTENT "${headers}")
  file(CONFIGURE OUTPUT "${dir}/kernel_table.inc" CONTENT "${table}")
  set(HALINE_KERNEL_OBJECTS "${objects}" PARENT_SCOPE)
  set(HALINE_KERNEL_TARGETS "${targets}" PARENT_SCOPE)
endfunction()
