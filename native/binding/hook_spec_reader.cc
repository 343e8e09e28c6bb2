#include "binding/hook_spec_reader.h"

#include "binding/arguments.h"

namespace polytrace {

namespace {

AttachPoint read_attach_point(const Napi::Object& object) {
  return {read_optional_string(object, "target"), read_optional_bigint(object, "offset"),
          read_optional_bigint(object, "counter")};
}

Target read_target(const Napi::Object& spec) {
  Target target;
  target.mechanism = read_optional_string(spec, "mechanism");
  target.name = read_optional_string(spec, "target");
  target.group = read_optional_string(spec, "group");
  target.path = read_optional_string(spec, "path");
  target.offset = read_optional_bigint(spec, "offset");
  target.counter = read_optional_bigint(spec, "counter");
  target.optional_points = read_flag(spec, "optionalAttachPoints");
  target.points = map_array(spec.Get("attachPoints"), read_attach_point);
  return target;
}

CodeSpec read_code(const Napi::Object& object) {
  return {read_number(object, "mark"), copy_bytes(object.Get("instructions"))};
}

MapSpec read_map(const Napi::Object& object) {
  MapSpec map;
  map.name = read_string(object, "name");
  map.create = read_flag(object, "create");
  if (object.Get("sharedWith").IsNumber()) map.shared_with = read_number(object, "sharedWith");
  map.key_size = read_number(object, "keySize");
  map.trim = read_number(object, "trim");
  map.max_entries = read_number(object, "maxEntries");
  map.flags = read_number(object, "flags");
  map.entries = copy_bytes(object.Get("entries"));
  return map;
}

// { registerOffset, numbers }
void read_calls(HookSpec& spec, const Napi::Value& value) {
  if (!value.IsObject()) return;
  const auto calls = value.As<Napi::Object>();
  const auto numbers = calls.Get("numbers").As<Napi::Array>();
  for (uint32_t i = 0; i < numbers.Length(); i++) {
    spec.calls.push_back(numbers.Get(i).As<Napi::Number>().Uint32Value());
  }
  spec.call_register = read_number(calls, "registerOffset");
}

}  // namespace

HookSpec read_hook_spec(const Napi::Object& object) {
  HookSpec spec;
  spec.id = read_number(object, "id");
  spec.object = read_string(object, "object");
  spec.entry = read_flag(object, "entry");
  spec.at_return = read_flag(object, "return");
  spec.overrides = read_flag(object, "overrides");
  spec.changeable = read_flag(object, "changeable");
  spec.optimize = read_flag(object, "optimize");
  spec.target = read_target(object);
  spec.config = copy_bytes(object.Get("config"));
  spec.code = map_array(object.Get("code"), read_code);
  spec.maps = map_array(object.Get("maps"), read_map);
  read_calls(spec, object.Get("calls"));
  return spec;
}

}  // namespace polytrace
