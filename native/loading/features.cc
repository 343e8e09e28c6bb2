#include "loading/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "base/handles.h"
#include "base/sdt.h"
#include "base/signals.h"
#include "btf/btf_types.h"
#include "loading/object_steps.h"
#include "loading/typed_programs.h"

namespace polytrace {

namespace {

// Kernels have these functions for tests: attaching to them disturbs nothing.
constexpr const char* TEST_FUNCTION = "bpf_fentry_test1";
constexpr const char* MODIFY_FUNCTION = "bpf_modify_return_test";
constexpr const char* SECURITY_FUNCTION = "security_bprm_check";
constexpr const char* PROBED_FUNCTION = "do_nanosleep";

// `return 0`
const bpf_insn RETURN_ZERO[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
    {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
};

// Returns null and sets errno if there is no BTF, or it cannot be read.
std::shared_ptr<BtfTypes> load_btf(std::shared_ptr<BtfTypes> (*load)()) {
  try {
    return load();
  } catch (const Failure& failure) {
    errno = failure.error != 0 ? std::abs(failure.error) : ENOENT;
    return nullptr;
  }
}

// The BTF id that programs of this kind are attached to; 0 if there is none.
uint32_t find_target_id(const std::string& target, bpf_attach_type attach) {
  const auto types = load_btf(BtfTypes::load_own);
  return types ? find_target_type(*types, attach, target) : 0;
}

int load_program(bpf_prog_type type, bpf_attach_type attach, const char* target) {
  LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
  if (target != nullptr) {
    opts.attach_btf_id = find_target_id(target, attach);
    if (opts.attach_btf_id == 0) return -ENOENT;
  }
  return bpf_prog_load(type, "polytrace_probe", "GPL", RETURN_ZERO, 2, &opts);
}

// Returns 0 or a negative errno.
int try_typed_program(bpf_prog_type type, bpf_attach_type attach, const char* target) {
  const Fd program(load_program(type, attach, target));
  if (program.value < 0) return program.value;
  const Fd link(bpf_raw_tracepoint_open(nullptr, program.value));
  return link.value < 0 ? -errno : 0;
}

// Loads `code` with a main program and a global function, which begins at the instruction `callee_index`. The function
// has a pointer as its parameter if `has_pointer` is true. Returns 0 or a negative errno.
int try_global_function(std::span<const bpf_insn> code, uint32_t callee_index, bool has_pointer) {
  const BtfPtr types(btf__new_empty());
  if (!types) return -errno;
  const int number = btf__add_int(types.get(), "int", 4, BTF_INT_SIGNED);
  const int pointer = btf__add_ptr(types.get(), number);
  const int main_type = btf__add_func_proto(types.get(), number);
  const int main = btf__add_func(types.get(), "polytrace_main", BTF_FUNC_GLOBAL, main_type);
  const int callee_type = btf__add_func_proto(types.get(), number);
  if (has_pointer) btf__add_func_param(types.get(), "given", pointer);
  const int callee = btf__add_func(types.get(), "polytrace_callee", BTF_FUNC_GLOBAL, callee_type);
  uint32_t size = 0;
  const void* const bytes = btf__raw_data(types.get(), &size);
  const Fd loaded(bytes == nullptr ? -ENOMEM : bpf_btf_load(bytes, size, nullptr));
  if (loaded.value < 0) return loaded.value;
  const bpf_func_info functions[] = {{.insn_off = 0, .type_id = static_cast<uint32_t>(main)},
                                     {.insn_off = callee_index, .type_id = static_cast<uint32_t>(callee)}};
  LIBBPF_OPTS(bpf_prog_load_opts, opts);
  opts.prog_btf_fd = static_cast<uint32_t>(loaded.value);
  opts.func_info = functions;
  opts.func_info_cnt = 2;
  opts.func_info_rec_size = sizeof(bpf_func_info);
  const Fd program(
      bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "polytrace_probe", "GPL", code.data(), code.size(), &opts));
  return program.value < 0 ? program.value : 0;
}

constexpr bpf_insn call_instruction(uint8_t kind, int32_t target) {
  return {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = kind, .off = 0, .imm = target};
}

int try_pointer_params() {
  // `return callee(NULL)`, and the function
  const bpf_insn calling[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .src_reg = 0, .off = 0, .imm = 0},
      call_instruction(BPF_PSEUDO_CALL, 1),
      RETURN_ZERO[1],
      RETURN_ZERO[0],
      RETURN_ZERO[1],
  };
  return try_global_function(calling, 3, true);
}

int try_global_calls_without_preemption() {
  const auto kernel = load_btf(BtfTypes::load_own);
  const uint32_t disable = kernel ? kernel->find("bpf_preempt_disable", BTF_KIND_FUNC) : 0;
  const uint32_t enable = kernel ? kernel->find("bpf_preempt_enable", BTF_KIND_FUNC) : 0;
  if (disable == 0 || enable == 0) return -ENOENT;
  const bpf_insn calling[] = {
      call_instruction(BPF_PSEUDO_KFUNC_CALL, static_cast<int32_t>(disable)),
      call_instruction(BPF_PSEUDO_CALL, 3),
      call_instruction(BPF_PSEUDO_KFUNC_CALL, static_cast<int32_t>(enable)),
      RETURN_ZERO[0],
      RETURN_ZERO[1],
      RETURN_ZERO[0],
      RETURN_ZERO[1],
  };
  return try_global_function(calling, 5, false);
}

int try_pmu(const char* name) {
  const std::string path = std::string("/sys/bus/event_source/devices/") + name + "/type";
  std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(path.c_str(), "re"), fclose);
  int type = 0;
  if (!file) return -errno;
  if (fscanf(file.get(), "%d", &type) != 1) return -ENOENT;
  return type;
}

int try_kprobe() {
  const int type = try_pmu("kprobe");
  if (type < 0) return access("/sys/kernel/tracing/kprobe_events", W_OK) == 0 ? 0 : -ENOENT;
  perf_event_attr attr = {};
  attr.size = sizeof(attr);
  attr.type = static_cast<uint32_t>(type);
  attr.config1 = reinterpret_cast<uint64_t>(PROBED_FUNCTION);
  const Fd event(static_cast<int>(syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
  return event.value < 0 ? -errno : 0;
}

int try_attach_cookie() {
  const bpf_insn calls_helper[] = {
      {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = BPF_FUNC_get_attach_cookie},
      RETURN_ZERO[0],
      RETURN_ZERO[1],
  };
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "polytrace_probe", "GPL", calls_helper, 3, nullptr));
  return program.value < 0 ? program.value : 0;
}

int try_kprobe_multi() {
  const Fd program(load_program(BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, nullptr));
  if (program.value < 0) return program.value;
  const char* symbols[] = {PROBED_FUNCTION};
  LIBBPF_OPTS(bpf_link_create_opts, opts);
  opts.kprobe_multi.syms = symbols;
  opts.kprobe_multi.cnt = 1;
  const Fd link(bpf_link_create(program.value, 0, BPF_TRACE_KPROBE_MULTI, &opts));
  return link.value < 0 ? link.value : 0;
}

int try_ring_buffer() {
  LIBBPF_OPTS(bpf_map_create_opts, opts);
  const Fd map(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "polytrace_probe", 0, 0, 64 * 1024, &opts));
  return map.value < 0 ? map.value : 0;
}

int try_uprobe() {
  const int type = try_pmu("uprobe");
  return type < 0 ? type : 0;
}

int try_uprobe_multi() {
  const Fd program(load_program(BPF_PROG_TYPE_KPROBE, BPF_TRACE_UPROBE_MULTI, nullptr));
  if (program.value < 0) return program.value;
  // the kernel refuses a folder with EBADF, but only a kernel that has this kind of link gets that far
  const unsigned long offset = 0;
  LIBBPF_OPTS(bpf_link_create_opts, opts);
  opts.uprobe_multi.path = "/";
  opts.uprobe_multi.offsets = &offset;
  opts.uprobe_multi.cnt = 1;
  const Fd link(bpf_link_create(program.value, 0, BPF_TRACE_UPROBE_MULTI, &opts));
  return link.value == -EBADF || link.value >= 0 ? 0 : link.value;
}

int try_uprobe_registers() {
#ifdef __x86_64__
  // sets the register of return values
  const bpf_insn sets_register[] = {
      RETURN_ZERO[0],
      {.code = BPF_STX | BPF_MEM | BPF_DW,
       .dst_reg = BPF_REG_1,
       .src_reg = BPF_REG_0,
       .off = offsetof(pt_regs, rax),
       .imm = 0},
      RETURN_ZERO[1],
  };
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "polytrace_probe", "GPL", sets_register, 3, nullptr));
  return program.value < 0 ? program.value : 0;
#else
  return -EOPNOTSUPP;
#endif
}

int try_tracepoint() {
  const Fd program(load_program(BPF_PROG_TYPE_TRACEPOINT, bpf_attach_type{}, nullptr));
  if (program.value < 0) return program.value;
  int err = -ENOENT;  // tracefs is not mounted
  for (const char* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    if (access((std::string(root) + "/events/sched/sched_process_exec/id").c_str(), R_OK) == 0) return 0;
    if (errno != ENOENT) err = -errno;
  }
  return err;
}

}  // namespace

bool kernel_has_own_btf() { return BtfTypes::has_own(); }

bool allows_global_calls_without_preemption() {
  static const bool is_allowed = [] {
    const LogScope quiet;
    return try_global_calls_without_preemption() == 0;
  }();
  return is_allowed;
}

Features try_features() {
  // tryTracing() attaches to this static probe
  PROBE("polytrace", "features", "0", "");
  LogScope quiet;
  const BlockedSignals blocked;
  require_descriptors(LIBBPF_DESCRIPTORS);
  Features result;
  const auto report = [&](const char* name, int err) { result.emplace_back(name, err); };
  const auto types = load_btf(BtfTypes::load_kernel);
  report("btf", types ? 0 : -errno);
  const auto kernel = load_btf(BtfTypes::load_own);
  report("ownBtf", kernel ? 0 : -errno);
  report("ringBuffer", try_ring_buffer());
  report("tpBtf", try_typed_program(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "sched_process_exec"));
  report("directRead", kernel && kernel->find("bpf_rdonly_cast", BTF_KIND_FUNC) != 0 ? 0 : -ENOENT);
  report("preemptDisable", kernel && kernel->find("bpf_preempt_disable", BTF_KIND_FUNC) != 0 ? 0 : -ENOENT);
  report("pointerParams", try_pointer_params());
  report("fentry", try_typed_program(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, TEST_FUNCTION));
  report("kprobe", try_kprobe());
  report("kprobeMulti", try_kprobe_multi());
  report("attachCookie", try_attach_cookie());
  report("lsm", try_typed_program(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "file_open"));
  report("fmodRet", try_typed_program(BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, SECURITY_FUNCTION));
  report("fmodRetListed", try_typed_program(BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, MODIFY_FUNCTION));
  report("uprobe", try_uprobe());
  report("uprobeMulti", try_uprobe_multi());
  report("uprobeRegisters", try_uprobe_registers());
  report("tracepoint", try_tracepoint());
  return result;
}

}  // namespace polytrace
