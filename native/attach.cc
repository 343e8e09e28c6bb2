#include "attach.h"

namespace polytrace {

namespace {

std::string optional_text(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

uint64_t optional_number(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  bool lossless = false;
  return value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&lossless) : 0;
}

constexpr pid_t EVERY_PROCESS = -1;

LinkPtr attach_uprobe(bpf_program* program, const Target& target, bool at_return) {
  LIBBPF_OPTS(bpf_uprobe_opts, opts, .ref_ctr_offset = target.counter, .retprobe = at_return,
              .func_name = target.name.empty() ? nullptr : target.name.c_str());
  return LinkPtr(bpf_program__attach_uprobe_opts(program, EVERY_PROCESS, target.path.c_str(), target.offset, &opts));
}

}  // namespace

std::string Target::words() const {
  if (mechanism == "tracepoint") return group + "/" + name;
  if (mechanism == "usdt") return path + ":" + group + ":" + name;
  if (mechanism != "uprobe") return name;
  return path + ":" + (name.empty() ? std::to_string(offset) : name);
}

Target read_target(const Napi::Object& spec) {
  Target target;
  target.mechanism = optional_text(spec, "mechanism");
  target.name = optional_text(spec, "target");
  target.group = optional_text(spec, "group");
  target.path = optional_text(spec, "path");
  target.offset = optional_number(spec, "offset");
  target.counter = optional_number(spec, "counter");
  return target;
}

int set_target(bpf_program* program, const Target& target) {
  if (target.mechanism != "fentry" && target.mechanism != "lsm") return 0;
  return bpf_program__set_attach_target(program, 0, target.name.c_str());
}

LinkPtr attach_program(bpf_program* program, const Target& target, bool at_return) {
  if (target.mechanism == "fentry") return LinkPtr(bpf_program__attach_trace(program));
  if (target.mechanism == "lsm") return LinkPtr(bpf_program__attach_lsm(program));
  if (target.mechanism == "raw_tracepoint") {
    return LinkPtr(bpf_program__attach_raw_tracepoint(program, target.name.c_str()));
  }
  if (target.mechanism == "tracepoint") {
    return LinkPtr(bpf_program__attach_tracepoint(program, target.group.c_str(), target.name.c_str()));
  }
  if (target.mechanism == "uprobe") return attach_uprobe(program, target, at_return);
  if (target.mechanism == "usdt") {
    return LinkPtr(bpf_program__attach_usdt(program, EVERY_PROCESS, target.path.c_str(), target.group.c_str(),
                                            target.name.c_str(), nullptr));
  }
  LIBBPF_OPTS(bpf_kprobe_opts, opts, .retprobe = at_return);
  return LinkPtr(bpf_program__attach_kprobe_opts(program, target.name.c_str(), &opts));
}

}  // namespace polytrace
