// GPU drivers that fail on command. A program that is linked with --wrap=dlopen and --wrap=dlsym finds these instead of
// the machine's: a CUDA driver that runs no kernel (fake_cuda.h), and the machine's OpenCL behind functions that fail.
//
// SPDX-License-Identifier: MIT
#ifndef HALINE_TESTS_SUPPORT_FAULTS_H_
#define HALINE_TESTS_SUPPORT_FAULTS_H_

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>

namespace haline::test {

// What the drivers' functions were called, and which call of which of them is to fail.
struct Faults {
  std::map<std::string, int> calls;
  std::string function;   // that fails; "": none; "*": every one of them
  int call = 1;           // the first that fails
  bool for_good = false;  // and all after it
  int code = 0;           // with which error
  int failed = 0;         // so many did

  void Reset() { *this = Faults(); }
  void Fail(const std::string &name, int which, int with, bool from_then_on = false);
  // Counts a call; whether it is to fail.
  bool Now(const char *name);
};
Faults &TheFaults();

// The environment variable HALINE_TEST_DRIVERS: "missing", "old", "no-device", "incapable"; "": drivers that work.
std::string DriverScenario();

// How often a driver was looked for.
int DriversOpened();

// A driver's function, and one in its place that fails when it is told to. Those that make something (of OpenCL's) give
// their error by their last argument, the others return it.
struct DriverFunction {
  const char *name;
  void *symbol;
};
template <auto kFunction, typename F = decltype(kFunction)>
struct Faulty;
template <auto kFunction, typename R, typename... A>
struct Faulty<kFunction, R (*)(A...)> {
  static inline const char *name = "";

  static R Call(A... args) {
    if (!TheFaults().Now(name)) return kFunction(args...);
    const int32_t code = TheFaults().code;
    if constexpr (std::is_pointer_v<R>) {
      const auto tell = [code](auto arg) {
        if constexpr (std::is_same_v<decltype(arg), int32_t *>) {
          if (arg) *arg = code;
        }
      };
      (tell(args), ...);
      return nullptr;
    } else {
      return code;
    }
  }
};
template <auto kFunction>
DriverFunction MakeFaulty(const char *name) {
  const auto call = &Faulty<kFunction>::Call;
  DriverFunction made = {name, nullptr};
  std::memcpy(&made.symbol, &call, sizeof(call));
  Faulty<kFunction>::name = name;
  return made;
}

// A function of a driver's, null: it has none of that name.
void *CudaSymbol(const char *name);
void *OpenClSymbol(const char *name);

}  // namespace haline::test

#endif  // HALINE_TESTS_SUPPORT_FAULTS_H_
