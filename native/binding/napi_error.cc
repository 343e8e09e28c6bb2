#include "binding/napi_error.h"

#include <exception>
#include <new>

namespace polytrace {

Napi::Error to_error(Napi::Env env, const Failure& failure) {
  Napi::Error result = Napi::Error::New(env, failure.message);
  result.Set("code", Napi::String::New(env, failure.code));
  if (failure.error != 0) result.Set("errno", Napi::String::New(env, errno_name(failure.error)));
  if (!failure.log.empty()) result.Set("log", Napi::String::New(env, failure.log));
  if (failure.point) result.Set("attachPoint", Napi::Number::New(env, *failure.point));
  return result;
}

namespace {

Napi::Error make_no_memory_error(Napi::Env env) {
  Napi::Error result = Napi::Error::New(env, "there is not enough memory");
  result.Set("code", Napi::String::New(env, "NO_MEMORY"));
  result.Set("errno", Napi::String::New(env, "ENOMEM"));
  return result;
}

}  // namespace

Napi::Error caught_error(Napi::Env env) {
  try {
    try {
      throw;
    } catch (const Failure& failure) {
      return to_error(env, failure);
    } catch (const Napi::Error& error) {
      return error;
    } catch (const std::bad_alloc&) {
      return make_no_memory_error(env);
    } catch (const std::exception& error) {
      return to_error(env, {"INTERNAL", error.what()});
    }
  } catch (const std::bad_alloc&) {
    return make_no_memory_error(env);  // there is too little memory to describe the failure
  }
}

void throw_in_javascript(Napi::Env env) noexcept {
  try {
    caught_error(env).ThrowAsJavaScriptException();
  } catch (...) {
    // the environment is ending: no code of JavaScript can catch the error
  }
}

}  // namespace polytrace
