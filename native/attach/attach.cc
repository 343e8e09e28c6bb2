#include "attach/attach.h"

#include <cerrno>

#include "attach/elf_symbol.h"

namespace polytrace {

namespace {

constexpr pid_t EVERY_PROCESS = -1;

LinkPtr attach_uprobe(bpf_program* program, const Target& target, bool at_return) {
  LIBBPF_OPTS(bpf_uprobe_opts, opts, .ref_ctr_offset = target.counter, .retprobe = at_return,
              .func_name = target.name.empty() ? nullptr : target.name.c_str());
  return LinkPtr(bpf_program__attach_uprobe_opts(program, EVERY_PROCESS, target.path.c_str(), target.offset, &opts));
}

std::vector<__u64> point_cookies(const Target& target) {
  std::vector<__u64> cookies;
  cookies.reserve(target.points.size());
  for (size_t i = 0; i < target.points.size(); i++) cookies.push_back(i);
  return cookies;
}

LinkPtr attach_kprobe_multi(bpf_program* program, const Target& target, bool at_return) {
  const std::vector<__u64> cookies = point_cookies(target);
  std::vector<const char*> functions;
  functions.reserve(target.points.size());
  for (const AttachPoint& point : target.points) functions.push_back(point.name.c_str());
  LIBBPF_OPTS(bpf_kprobe_multi_opts, opts, .syms = functions.data(), .cookies = cookies.data(), .cnt = functions.size(),
              .retprobe = at_return);
  return LinkPtr(bpf_program__attach_kprobe_multi_opts(program, nullptr, &opts));
}

LinkPtr link_uprobe_multi(bpf_program* program, const Target& target, bpf_uprobe_multi_opts& opts) {
  return LinkPtr(bpf_program__attach_uprobe_multi(program, EVERY_PROCESS, target.path.c_str(), nullptr, &opts));
}

// The offsets of attach points are from the start of the file: libbpf resolves symbols only without offsets.
LinkPtr attach_uprobe_multi(bpf_program* program, const Target& target, bool at_return) {
  const std::vector<__u64> cookies = point_cookies(target);
  std::vector<unsigned long> offsets, counters;
  for (const AttachPoint& point : target.points) {
    offsets.push_back(point.offset);
    counters.push_back(point.counter);
  }
  LIBBPF_OPTS(bpf_uprobe_multi_opts, opts, .offsets = offsets.data(), .ref_ctr_offsets = counters.data(),
              .cookies = cookies.data(), .cnt = offsets.size(), .retprobe = at_return);
  return link_uprobe_multi(program, target, opts);
}

// Attaches to one symbol, or to one offset from the start of the file. Unlike perf events, links of this kind can be
// removed in parallel. For these links, libbpf finds a symbol only if the file has a symbol table besides the dynamic
// symbols.
LinkPtr attach_uprobe_multi_single(bpf_program* program, const Target& target, bool at_return) {
  const char* symbol = target.name.c_str();
  const auto found = target.name.empty() ? std::optional(target.offset) : function_offset(target.path, target.name);
  const unsigned long offset = found.value_or(0), counter = target.counter;
  LIBBPF_OPTS(bpf_uprobe_multi_opts, opts, .ref_ctr_offsets = counter == 0 ? nullptr : &counter, .cnt = 1,
              .retprobe = at_return);
  if (found) {
    opts.offsets = &offset;
  } else {
    opts.syms = &symbol;
  }
  return link_uprobe_multi(program, target, opts);
}

}  // namespace

std::string Target::describe() const {
  if (mechanism == "tracepoint") return group + "/" + name;
  if (mechanism == "usdt") return path + ":" + group + ":" + name;
  if (path.empty()) return name;
  return path + ":" + (name.empty() ? std::to_string(offset) : name);
}

int set_target(bpf_program* program, const Target& target, TypedTargets& typed) {
  if (target.mechanism == "kprobe.multi") return bpf_program__set_expected_attach_type(program, BPF_TRACE_KPROBE_MULTI);
  if (target.mechanism == "uprobe.multi") return bpf_program__set_expected_attach_type(program, BPF_TRACE_UPROBE_MULTI);
  if (target.mechanism != "fentry" && target.mechanism != "lsm") return 0;
  return typed.select_target(program, target.name);
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
  if (target.mechanism == "kprobe.multi") return attach_kprobe_multi(program, target, at_return);
  if (target.mechanism == "uprobe.multi" && target.points.empty()) {
    return attach_uprobe_multi_single(program, target, at_return);
  }
  if (target.mechanism == "uprobe.multi") return attach_uprobe_multi(program, target, at_return);
  if (target.mechanism == "uprobe") return attach_uprobe(program, target, at_return);
  if (target.mechanism == "usdt") {
    return LinkPtr(bpf_program__attach_usdt(program, EVERY_PROCESS, target.path.c_str(), target.group.c_str(),
                                            target.name.c_str(), nullptr));
  }
  LIBBPF_OPTS(bpf_kprobe_opts, opts, .retprobe = at_return);
  return LinkPtr(bpf_program__attach_kprobe_opts(program, target.name.c_str(), &opts));
}

Probe describe_probe(const Target& target, size_t point, bool at_return) {
  const AttachPoint& own = target.points[point];
  const bool is_user = target.mechanism == "uprobe";
  return {is_user, is_user ? target.path : own.name, own.offset, own.counter, at_return};
}

bool has_link_per_point(const Target& target) {
  return !target.points.empty() && (target.mechanism == "kprobe" || target.mechanism == "uprobe");
}

// EBUSY: ftrace cannot patch the function. EINVAL: the kernel forbids probes there. EADDRNOTAVAIL: several functions
// have the name.
bool is_unattachable(int error) {
  return error == -ENOENT || error == -EBUSY || error == -EINVAL || error == -EADDRNOTAVAIL || error == -EILSEQ;
}

}  // namespace polytrace
