# Sets Halide_DIR and HalideHelpers_DIR to what the Halide wheel of the Python in use holds, unless they were given.
# Included before anything looks for Halide. (Debian's CMake doesn't look into lib64, where the wheel has its package.)
find_package(Python 3.10 REQUIRED COMPONENTS Interpreter)
if(NOT Halide_DIR AND NOT Halide_ROOT AND "$ENV{Halide_DIR}$ENV{Halide_ROOT}" STREQUAL "")
  execute_process(
    # Without importing it: that would need NumPy and imageio.
    COMMAND "${Python_EXECUTABLE}" -c
            "import importlib.util as u; print(*u.find_spec('halide').submodule_search_locations, sep=';')"
    OUTPUT_VARIABLE folders OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  foreach(folder IN LISTS folders)
    foreach(library IN ITEMS lib64 lib)
      if(EXISTS "${folder}/${library}/cmake/Halide/HalideConfig.cmake")
        # In the cache, as find_package would have it; a build in isolation has another folder each time.
        set(Halide_DIR "${folder}/${library}/cmake/Halide" CACHE PATH "")
        set(HalideHelpers_DIR "${folder}/${library}/cmake/HalideHelpers" CACHE PATH "")
      endif()
    endforeach()
  endforeach()
endif()
