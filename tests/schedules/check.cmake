# cmake -DFOLDER=... -P check.cmake: reads the schedules and settings of a folder, as the build does, and prints what it
# found.
cmake_minimum_required(VERSION 3.28)
include("${CMAKE_CURRENT_LIST_DIR}/../../generators/kernels.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/../../cmake/HalineSchedules.cmake")
haline_read_schedules("${FOLDER}")
get_cmake_property(names VARIABLES)
list(FILTER names INCLUDE REGEX "^HALINE_SCHEDULE_")
foreach(name IN LISTS names)
  message("${name}: ${${name}}")
endforeach()
haline_built_in_tuning("${FOLDER}" "${FOLDER}/built_in.inc")
file(READ "${FOLDER}/built_in.inc" text)
message("built in: ${text}")
