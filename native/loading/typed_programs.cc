#include "loading/typed_programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "base/error.h"
#include "loading/specialization.h"

namespace polytrace {

namespace {

thread_local const TypedTargets* current = nullptr;

struct Section {
  const char* name = nullptr;
  bpf_prog_type type = {};
  bpf_attach_type attach = {};
  uint32_t flags = 0;
  bool typed = true;
};

// TYPED_SEC and HOOK_SEC in bpf/common.bpf.h
constexpr Section SECTIONS[] = {
    {"typed_fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, 0},
    {"typed_fexit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, 0},
    {"typed_fmod_ret", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, 0},
    {"typed_lsm", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, 0},
    {"typed_lsm.s", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, BPF_F_SLEEPABLE},
    {"typed_tp_btf+", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, 0},
    {"typed_iter+", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, 0},
    {"hook_kprobe", BPF_PROG_TYPE_KPROBE, {}, 0, false},
    {"hook_kretprobe", BPF_PROG_TYPE_KPROBE, {}, 0, false},
    {"hook_uprobe", BPF_PROG_TYPE_KPROBE, {}, 0, false},
    {"hook_uretprobe", BPF_PROG_TYPE_KPROBE, {}, 0, false},
    {"hook_raw_tp", BPF_PROG_TYPE_RAW_TRACEPOINT, {}, 0, false},
    {"hook_tracepoint", BPF_PROG_TYPE_TRACEPOINT, {}, 0, false},
};

// libbpf would read the kernel's BTF for programs of the right type. The handler sets the type when they are loaded.
constexpr bpf_prog_type UNTYPED = BPF_PROG_TYPE_RAW_TRACEPOINT;

const Section& find_section(const bpf_program* program) {
  const std::string name = bpf_program__section_name(program);
  const std::string known = name.substr(0, name.find('/'));
  for (const Section& each : SECTIONS) {
    const std::string own = each.name;
    if (known == own.substr(0, own.find('+'))) return each;
  }
  throw Failure{"NO_SUCH_PROGRAM", "no programs have a section " + name};
}

uint32_t find_target_id(const bpf_program* program, const Section& section) {
  const char* const own = std::strchr(bpf_program__section_name(program), '/');
  if (own != nullptr) return find_target_type(*BtfTypes::load_own(), section.attach, own + 1);
  return current == nullptr ? 0 : current->target_id(program);
}

// libbpf calls this function before it loads a program. No exception may pass through libbpf.
int prepare_load(bpf_program* program, bpf_prog_load_opts* opts, long index) noexcept {
  try {
    const Section& section = SECTIONS[index];
    if (!section.typed) return Specialization::rewrite(program, opts);
    opts->attach_btf_id = find_target_id(program, section);
    if (opts->attach_btf_id == 0) return -ENOENT;
    opts->prog_flags |= section.flags;
    const int err = bpf_program__set_type(program, section.type);
    return err != 0 ? err : Specialization::rewrite(program, opts);
  } catch (const Failure& failure) {
    return failure.error == 0 ? -EINVAL : -std::abs(failure.error);
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
}

}  // namespace

uint32_t find_target_type(BtfTypes& types, bpf_attach_type attach, const std::string& name) {
  if (attach == BPF_TRACE_RAW_TP) return types.find("btf_trace_" + name, BTF_KIND_TYPEDEF);
  if (attach == BPF_TRACE_ITER) return types.find("bpf_iter_" + name, BTF_KIND_FUNC);
  return types.find(attach == BPF_LSM_MAC ? "bpf_lsm_" + name : name, BTF_KIND_FUNC);
}

void register_typed_sections() {
  static std::once_flag once;
  std::call_once(once, [] {
    long index = 0;
    for (const Section& each : SECTIONS) {
      LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .cookie = index++, .prog_prepare_load_fn = prepare_load);
      libbpf_register_prog_handler(each.name, each.typed ? UNTYPED : each.type, each.attach, &opts);
    }
  });
}

TypedTargets::TypedTargets() { current = this; }

TypedTargets::~TypedTargets() { current = nullptr; }

int TypedTargets::select_target(bpf_program* program, const std::string& name) {
  const Section& section = find_section(program);
  ids_[program] = find_target_type(*BtfTypes::load_own(), section.attach, name);
  if (ids_[program] != 0) return 0;
  // a function of a module: libbpf searches the BTF of the modules
  const int err = bpf_program__set_type(program, section.type);
  return err != 0 ? err : bpf_program__set_attach_target(program, 0, name.c_str());
}

uint32_t TypedTargets::target_id(const bpf_program* program) const {
  const auto found = ids_.find(program);
  return found == ids_.end() ? 0 : found->second;
}

}  // namespace polytrace
