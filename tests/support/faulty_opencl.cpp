// The machine's OpenCL, the functions that haline and Halide's runtime call behind ones that can fail.
#include <dlfcn.h>

#include "support/faults.h"
#include "support/opencl.h"

namespace haline::test {

void *OpenClSymbol(const char *name) {
#define HALINE_FAULTY(function) MakeFaulty<function>(#function)
  static const DriverFunction kFunctions[] = {
      HALINE_FAULTY(clGetPlatformIDs),
      HALINE_FAULTY(clGetDeviceIDs),
      HALINE_FAULTY(clGetDeviceInfo),
      HALINE_FAULTY(clCreateContext),
      HALINE_FAULTY(clCreateCommandQueue),
      HALINE_FAULTY(clGetCommandQueueInfo),
      HALINE_FAULTY(clRetainContext),
      HALINE_FAULTY(clGetContextInfo),
      HALINE_FAULTY(clCreateBuffer),
      HALINE_FAULTY(clCreateSubBuffer),
      HALINE_FAULTY(clCreateProgramWithSource),
      HALINE_FAULTY(clBuildProgram),
      HALINE_FAULTY(clCreateKernel),
      HALINE_FAULTY(clSetKernelArg),
      HALINE_FAULTY(clEnqueueNDRangeKernel),
      HALINE_FAULTY(clEnqueueWriteBuffer),
      HALINE_FAULTY(clEnqueueReadBuffer),
      HALINE_FAULTY(clEnqueueWriteBufferRect),
      HALINE_FAULTY(clEnqueueReadBufferRect),
      HALINE_FAULTY(clReleaseKernel),
      HALINE_FAULTY(clReleaseMemObject), HALINE_FAULTY(clRetainMemObject),
      HALINE_FAULTY(clFinish),
      HALINE_FAULTY(clFlush),
      HALINE_FAULTY(clWaitForEvents),
  };
  for (const DriverFunction &function : kFunctions) {
    if (std::strcmp(name, function.name) == 0) return function.symbol;
  }
  static void *const machine = dlopen(nullptr, RTLD_NOW);  // this program, which is linked to it
  return dlsym(machine, name);
}

}  // namespace haline::test
