#include "hook_spec.h"

#include "arguments.h"

namespace polytrace {

namespace {

Place read_place(const Napi::Object& object) {
  return {optional_text(object, "target"), optional_number(object, "offset"), optional_number(object, "counter")};
}

Target read_target(const Napi::Object& spec) {
  Target target;
  target.mechanism = optional_text(spec, "mechanism");
  target.name = optional_text(spec, "target");
  target.group = optional_text(spec, "group");
  target.path = optional_text(spec, "path");
  target.offset = optional_number(spec, "offset");
  target.counter = optional_number(spec, "counter");
  target.optional_places = flag(spec, "optionalPlaces");
  target.places = each_of(spec.Get("places"), read_place);
  return target;
}

CodeSpec read_code(const Napi::Object& object) {
  return {number(object, "mark"), bytes_of(object.Get("instructions"))};
}

MapSpec read_map(const Napi::Object& object) {
  MapSpec map;
  map.name = text(object, "name");
  map.create = flag(object, "create");
  if (object.Get("sharedWith").IsNumber()) map.shared_with = number(object, "sharedWith");
  map.key_size = number(object, "keySize");
  map.trim = number(object, "trim");
  map.max_entries = number(object, "maxEntries");
  map.flags = number(object, "flags");
  map.entries = bytes_of(object.Get("entries"));
  return map;
}

}  // namespace

HookSpec read_hook_spec(const Napi::Object& object) {
  HookSpec spec;
  spec.id = number(object, "id");
  spec.object = text(object, "object");
  spec.entry = flag(object, "entry");
  spec.at_return = flag(object, "return");
  spec.overrides = flag(object, "overrides");
  spec.target = read_target(object);
  spec.config = bytes_of(object.Get("config"));
  spec.code = each_of(object.Get("code"), read_code);
  spec.maps = each_of(object.Get("maps"), read_map);
  return spec;
}

}  // namespace polytrace
