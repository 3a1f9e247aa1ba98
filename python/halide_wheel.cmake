# Sets Halide_DIR and HalideHelpers_DIR to what the Halide wheel of the Python in use holds, unless one was given.
# Included before anything looks for Halide. (Debian's CMake doesn't look into lib64, where the wheel has its package.)
find_package(Python 3.10 REQUIRED COMPONENTS Interpreter)
if(NOT EXISTS "${Halide_DIR}/HalideConfig.cmake" AND NOT DEFINED ENV{Halide_DIR}
   AND NOT Halide_ROOT AND NOT DEFINED ENV{Halide_ROOT})
  # Without importing it: that would need NumPy and imageio.
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c
            "import importlib.util as u; print(*u.find_spec('halide').submodule_search_locations, sep=';')"
    OUTPUT_VARIABLE folders OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  foreach(folder IN LISTS folders)
    foreach(library IN ITEMS lib64 lib)
      if(EXISTS "${folder}/${library}/cmake/Halide/HalideConfig.cmake")
        # FORCE, as a build in isolation has another folder each time.
        set(Halide_DIR "${folder}/${library}/cmake/Halide" CACHE PATH "" FORCE)
        set(HalideHelpers_DIR "${folder}/${library}/cmake/HalideHelpers" CACHE PATH "" FORCE)
      endif()
    endforeach()
  endforeach()
endif()
