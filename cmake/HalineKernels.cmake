# From the list of generators/kernels.cmake to object files and the run-time table. The only caller of Halide's CMake
# functions.

include(HalineSchedules)
haline_read_schedules("${PROJECT_SOURCE_DIR}/generators/schedules")
haline_built_in_tuning("${PROJECT_SOURCE_DIR}/generators/schedules" "${PROJECT_BINARY_DIR}/generators/built_in_tuning.inc")

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(HALINE_BACKENDS ${HALINE_X86_BACKENDS})
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(HALINE_BACKENDS ${HALINE_ARM_BACKENDS})
else()
  message(FATAL_ERROR "haline has no back end for ${CMAKE_SYSTEM_PROCESSOR}: x86-64 and AArch64 are supported")
endif()

# Compiling the kernels takes most of a build's time. Another build of the same sources and options may lend its own:
# they are taken as they are, and nothing sees to it that they are up to date.
set(HALINE_KERNELS_ROOT "" CACHE PATH "Build folder whose kernels are linked, in place of compiling them")
set(HALINE_KERNELS_DIR "${PROJECT_BINARY_DIR}/generators")
if(HALINE_KERNELS_ROOT)
  cmake_path(ABSOLUTE_PATH HALINE_KERNELS_ROOT BASE_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set(HALINE_KERNELS_DIR "${HALINE_KERNELS_ROOT}/generators")
endif()

# When cross-compiling, the generators come from a build for the host
# (-Dhaline-halide_generators_ROOT=<its build folder>) and only Halide's CMake functions are needed here.
if(CMAKE_CROSSCOMPILING OR HALINE_KERNELS_ROOT)
  find_package(HalideHelpers REQUIRED)
else()
  find_package(Halide 21 REQUIRED COMPONENTS Halide shared)
endif()

# Halide's functions append to it whenever CMake runs; what another run wrote, with other generators, would be in the way.
file(REMOVE "${PROJECT_BINARY_DIR}/cmake/haline-halide_generatorsConfig.cmake")

function(haline_add_generator name)
  if(NOT HALINE_KERNELS_ROOT)
    add_halide_generator(haline_${name}_generator SOURCES ${name}_generator.cpp)
    # Halide's header is half of a generator's compilation.
    if(CMAKE_CROSSCOMPILING)
      return()  # another build's
    elseif(name STREQUAL pivot)
      target_precompile_headers(haline_pivot_generator PRIVATE <Halide.h>)
    else()
      target_precompile_headers(haline_${name}_generator REUSE_FROM haline_pivot_generator)
    endif()
  endif()
endfunction()

# haline_compile(function option..): compiles the kernel, options as of add_halide_library, or takes another build's.
# (A macro: one option names a variable of the caller's, which is set.)
macro(haline_compile function)
  if(NOT HALINE_KERNELS_ROOT)
    add_halide_library(haline_${function} FUNCTION_NAME ${function} USE_RUNTIME haline_halide_runtime ${ARGN})
  elseif(EXISTS "${HALINE_KERNELS_DIR}/haline_${function}.o")
    add_custom_target(haline_${function})
  else()
    message(FATAL_ERROR "HALINE_KERNELS_ROOT: ${HALINE_KERNELS_ROOT} has no ${function}; build it there, with the same "
                        "options, or build without HALINE_KERNELS_ROOT")
  endif()
endmacro()

# Compiles one kernel for one back end, unless that was done before. `function` is set to its name.
function(haline_add_kernel name generator params element backend target out_function)
  set(function kernel_${name}_${element}_${backend})  # not haline_*: kernels stay inside the library
  set(${out_function} ${function} PARENT_SCOPE)
  if(TARGET haline_${function})
    return()
  endif()
  # A kernel checks its arguments, which takes some 60 ns a call: a task of small planes would spend a tenth of its time
  # there. They are the engines' own views, never the caller's, so that only builds for development check them.
  if(NOT HALINE_KERNEL_CHECKS AND NOT name IN_LIST HALINE_CHECKED_KERNELS)
    string(APPEND target "-no_asserts-no_bounds_query")
    set_property(GLOBAL APPEND PROPERTY HALINE_UNCHECKED_KERNELS "${HALINE_KERNELS_DIR}/haline_${function}.o")
  endif()
  # Their results go past the caches, on processors that have such stores.
  set(assembly "")
  if(name MATCHES "flow_(small|large|alone)$|lines$" AND backend MATCHES "^x86")
    set(assembly ASSEMBLY written)
  endif()
  haline_compile(${function} ${assembly} FROM haline_${generator}_generator GENERATOR haline_${generator}
                 TARGETS "${target}"
                 PARAMS element=${element} ${params} ${HALINE_SCHEDULE_${name}_${element}_${backend}})
  if(assembly)
    set_property(GLOBAL APPEND PROPERTY HALINE_STREAMING_KERNELS ${function})
    set(made "${HALINE_KERNELS_DIR}/haline_${function}_streams")
    if(NOT HALINE_KERNELS_ROOT)
      set(script "${PROJECT_SOURCE_DIR}/cmake/streaming_stores.cmake")
      add_custom_command(
        OUTPUT "${made}.o"
        COMMAND ${CMAKE_COMMAND} "-DFROM=${written}" "-DTO=${made}.s" -P "${script}"
        COMMAND ${CMAKE_C_COMPILER} -c "${made}.s" -o "${made}.o"
        DEPENDS "${written}" "${script}" BYPRODUCTS "${made}.s" VERBATIM)
    endif()
    add_custom_target(haline_${function}_streams DEPENDS "${made}.o")
    add_dependencies(haline_${function}_streams haline_${function})
  endif()
  # For scripts/tune.sh, which compiles the same kernel with other schedules.
  string(REPLACE ";" "\", \"" quoted "element=${element};${params}")
  string(REPLACE ";" "\", \"" schedule "${HALINE_SCHEDULE_${name}_${element}_${backend}}")
  if(schedule)
    set(schedule "\"${schedule}\"")
  endif()
  set_property(GLOBAL APPEND_STRING PROPERTY HALINE_KERNEL_LINES
    "{\"function\": \"${function}\", \"kernel\": \"${name}\", \"generator\": \"${generator}\", \"backend\": \"${backend}\", \"element\": \"${element}\", \"target\": \"${target}-no_runtime\", \"params\": [\"${quoted}\"], \"schedule\": [${schedule}]},\n")
endfunction()

# For the end of a function that has compiled `functions` and made `table` of them: writes <name>_headers.inc and
# <name>_table.inc, and adds to HALINE_KERNEL_TARGETS and HALINE_KERNEL_OBJECTS in the scope around it.
macro(haline_finish_kernels name)
  list(REMOVE_DUPLICATES functions)
  list(TRANSFORM functions REPLACE "(.+)" "#include \"haline_\\1.h\"\n" OUTPUT_VARIABLE headers)
  string(JOIN "" headers ${headers})
  file(CONFIGURE OUTPUT "${dir}/${name}_headers.inc" CONTENT "${headers}")
  file(CONFIGURE OUTPUT "${dir}/${name}_table.inc" CONTENT "${table}")
  list(TRANSFORM functions PREPEND "haline_")
  get_property(streaming GLOBAL PROPERTY HALINE_STREAMING_KERNELS)
  foreach(function IN LISTS streaming)
    list(TRANSFORM functions REPLACE "^haline_${function}$" "haline_${function}_streams")
  endforeach()
  set(HALINE_KERNEL_TARGETS "${HALINE_KERNEL_TARGETS}" ${functions} PARENT_SCOPE)
  list(TRANSFORM functions REPLACE "(.+)" "${HALINE_KERNELS_DIR}/\\1.o")
  set(HALINE_KERNEL_OBJECTS "${HALINE_KERNEL_OBJECTS}" ${functions} PARENT_SCOPE)
endmacro()

# Compiles every kernel for every back end. Sets HALINE_KERNEL_OBJECTS (with the one Halide runtime's) and
# HALINE_KERNEL_TARGETS, and writes kernel_table.inc: an initializer of runtime/kernels.h's KernelSet for each back end.
function(haline_add_kernels)
  set(dir "${CMAKE_CURRENT_BINARY_DIR}")
  set(functions "")
  set(table "")
  # One runtime for all, for the system alone: a processor's features, strict_float among them, are the kernels' business.
  set(sanitizer "")
  if(HALINE_SANITIZER STREQUAL "address")
    set(sanitizer "-asan")
  endif()
  list(GET HALINE_BACKENDS 0 system)
  string(REGEX REPLACE "^[^|]*[|]([^-]+-[^-]+-[^-]+).*" "\\1" system "${system}")
  if(NOT HALINE_KERNELS_ROOT)
    add_halide_runtime(haline_halide_runtime TARGETS "${system}${HALINE_GPU_FEATURES}${sanitizer}" NO_THREADS ON)
  endif()
  foreach(backend IN LISTS HALINE_BACKENDS)
    string(REPLACE "|" ";" fields "${backend}")
    list(POP_FRONT fields backend_id target)
    string(REPLACE "_" "-" backend_name "${backend_id}")
    string(APPEND table "{\"${backend_name}\", {\n")
    foreach(element IN LISTS HALINE_ELEMENTS)
      string(REPLACE "|" ";" fields "${element}")
      list(POP_FRONT fields element_id storage math)
      string(APPEND table "  {\n")
      foreach(kernel IN LISTS HALINE_KERNELS)
        string(REPLACE "<storage>" "${storage}" kernel "${kernel}")
        string(REPLACE "<math>" "${math}" kernel "${kernel}")
        string(REPLACE "|" ";" params "${kernel}")
        list(POP_FRONT params name generator per)
        if((per MATCHES "[LXPN]" AND backend_id STREQUAL "x86_64") OR
           (per STREQUAL "P" AND NOT element_id STREQUAL "f32") OR
           (per STREQUAL "N" AND element_id STREQUAL "f64") OR
           (per STREQUAL "A" AND backend_id STREQUAL "x86_avx2" AND storage STREQUAL "uint16") OR
           (per STREQUAL "X" AND NOT backend_id MATCHES "^x86"))
          string(APPEND table "    .${name} = {nullptr, nullptr},\n")
          continue()
        endif()
        set(variant ${element_id})
        if(per STREQUAL "M" AND math STREQUAL "float32")
          set(variant f32)
        endif()
        haline_add_kernel(${name} ${generator} "${params}" ${variant} ${backend_id} "${target}${sanitizer}" function)
        list(APPEND functions ${function})
        string(APPEND table "    .${name} = {${function}, ${function}_metadata},\n")
      endforeach()
      string(APPEND table "  },\n")
    endforeach()
    string(APPEND table "}},\n")
  endforeach()

  get_property(lines GLOBAL PROPERTY HALINE_KERNEL_LINES)
  string(REGEX REPLACE ",\n$" "\n" lines "${lines}")
  if(HALINE_KERNELS_ROOT)
    file(READ "${HALINE_KERNELS_DIR}/kernels.json" built)
    string(FIND "${built}" "${lines}" found)
    if(found EQUAL -1)
      message(FATAL_ERROR "HALINE_KERNELS_ROOT: the kernels of ${HALINE_KERNELS_ROOT} were built with other options "
                          "(compare generators/kernels.json)")
    endif()
  endif()
  string(JOIN "\", \"" schedules ${HALINE_SCHEDULES})
  file(CONFIGURE OUTPUT "${dir}/kernels.json" @ONLY
       CONTENT "{\"schedules\": [\"${schedules}\"],\n\"compiler\": \"${CMAKE_CXX_COMPILER}\",\n\"halide\": \"${Halide_VERSION}\",\n\"kernels\": [\n${lines}]}\n")
  set(HALINE_KERNEL_TARGETS "")
  set(HALINE_KERNEL_OBJECTS "${HALINE_KERNELS_DIR}/haline_halide_runtime.o")
  haline_finish_kernels(kernel)
endfunction()
