// Turns C++ exceptions into JavaScript errors with `code`, `errno` (a name), `log` and `attachPoint`.
#pragma once

#include <napi.h>

#include "base/error.h"

namespace polytrace {

// Makes a JavaScript Error of the failure.
Napi::Error to_error(Napi::Env env, const Failure& failure);

// Makes a JavaScript Error of the exception that is being handled. Reporting that memory is exhausted needs no memory.
Napi::Error caught_error(Napi::Env env);

// Throws the exception that is being handled in JavaScript. Does nothing if the environment is ending.
void throw_in_javascript(Napi::Env env) noexcept;

// Runs a call that comes from JavaScript, and turns every exception into a JavaScript Error. A C++ exception that left
// this function would end the process. An environment that is ending, such as that of a terminated worker, refuses most
// calls with an exception.
template <typename Run>
Napi::Value run_guarded(Napi::Env env, Run run) noexcept {
  try {
    return run();
  } catch (...) {
    throw_in_javascript(env);
  }
  return Napi::Value();
}

// Makes a callback of an exported function: run_guarded() calls the function.
template <auto FUNCTION>
Napi::Value guarded_callback(const Napi::CallbackInfo& info) {
  return run_guarded(info.Env(), [&] { return FUNCTION(info); });
}

}  // namespace polytrace
