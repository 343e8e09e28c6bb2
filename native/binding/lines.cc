#include "binding/lines.h"

#include <span>

#include "lines/line_writer.h"

namespace polytrace {

namespace {

struct Array {
  napi_typedarray_type type;
  uint8_t* data;
  size_t length;
};

// One call of Node-API: a batch can have one line.
Array array_argument(const Napi::CallbackInfo& info, size_t index) {
  Array array = {};
  void* data = nullptr;
  napi_get_typedarray_info(info.Env(), info[index], &array.type, &array.length, &data, nullptr, nullptr);
  array.data = static_cast<uint8_t*>(data);
  return array;
}

std::span<uint8_t> bytes_argument(const Napi::CallbackInfo& info, size_t index) {
  const Array array = array_argument(info, index);
  if (array.type != napi_uint8_array || array.data == nullptr) return {};
  return {array.data, array.length};
}

// An array of structs of numbers with 32 bits.
template <typename Struct>
std::span<Struct> structs_argument(const Napi::CallbackInfo& info, size_t index) {
  const Array array = array_argument(info, index);
  if (array.type != napi_uint32_array || array.data == nullptr) return {};
  return {reinterpret_cast<Struct*>(array.data), array.length * sizeof(uint32_t) / sizeof(Struct)};
}

}  // namespace

Napi::Value write_lines_binding(const Napi::CallbackInfo& info) {
  const auto progress = structs_argument<LineProgress>(info, 0);
  const auto lines = structs_argument<Line>(info, 1);
  const LineSources sources = {
      bytes_argument(info, 2),
      bytes_argument(info, 3),
      bytes_argument(info, 4),
      {info[6].As<Napi::Number>().Int64Value(), info[7].As<Napi::Number>().Int64Value()},
  };
  if (!progress.empty()) write_lines(sources, lines, bytes_argument(info, 5), progress.front());
  return info.Env().Undefined();
}

}  // namespace polytrace
