# Kernels that were compiled without checks allocate no memory: nobody would notice that there is none.
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND "${NM}" -u "${object}" OUTPUT_VARIABLE wanted COMMAND_ERROR_IS_FATAL ANY)
  if(wanted MATCHES "halide_malloc")
    message(SEND_ERROR "${object} allocates memory; its schedule should not, or else cmake/ should keep its checks")
  endif()
endforeach()
