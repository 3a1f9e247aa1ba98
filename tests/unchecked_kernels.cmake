# Kernels that were compiled without checks allocate no memory: nobody would notice that there is none.
execute_process(COMMAND "${NM}" -A -u ${OBJECTS} OUTPUT_VARIABLE wanted COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]*halide_malloc" found "${wanted}")
if(found)
  string(JOIN "\n" found ${found})
  message(FATAL_ERROR "Found kernels without checks that allocate memory; schedules that do not wanted, or else that "
                      "HALINE_CHECKED_KERNELS (generators/kernels.cmake) lists them:\n${found}")
endif()
