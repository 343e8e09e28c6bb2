#include "specialize.h"

#include <bpf/btf.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>

#include "../relocated.h"
#include "flow.h"
#include "simplify.h"

namespace polytrace {

namespace {

thread_local Specialization* chosen = nullptr;

// libbpf does not tell the descriptors of maps before the programs are loaded.
int configuration_map(std::span<const bpf_insn> program) {
  std::set<int> seen;
  for (const bpf_insn& each : program) {
    if (!is_wide(each) || each.src_reg != BPF_PSEUDO_MAP_VALUE || !seen.insert(each.imm).second) continue;
    bpf_map_info info = {};
    uint32_t size = sizeof(info);
    if (bpf_map_get_info_by_fd(each.imm, &info, &size) != 0) continue;
    if (std::string(info.name).find(".rodata") != std::string::npos) return each.imm;
  }
  return -1;
}

// Records of a kind that the kernel may extend.
template <typename Record>
std::vector<Record> records(const void* first, uint32_t count, uint32_t size) {
  std::vector<Record> result(first == nullptr || size < sizeof(Record) ? 0 : count);
  for (size_t i = 0; i < result.size(); i++) {
    std::memcpy(&result[i], static_cast<const uint8_t*>(first) + i * size, sizeof(Record));
  }
  return result;
}

// The types of a program's functions; the kernel may have none.
class FunctionTypes {
 public:
  FunctionTypes(const Flow& flow, const bpf_prog_load_opts& opts) {
    const auto known = records<bpf_func_info>(opts.func_info, opts.func_info_cnt, opts.func_info_rec_size);
    if (known.empty()) return;
    for (const Function& function : flow.functions) {
      const auto found = std::find_if(known.begin(), known.end(),
                                      [&](const bpf_func_info& each) { return each.insn_off == function.place; });
      ids_.push_back(found == known.end() ? 0 : found->type_id);
    }
  }

  // 0: it is not known.
  uint32_t of(uint32_t function) const { return ids_.empty() ? 0 : ids_[function]; }

  // In the order of the code, as the kernel wants them.
  std::vector<bpf_func_info> records_of(const AssembledCode& code) const {
    std::vector<bpf_func_info> result;
    for (uint32_t i = 0; i < ids_.size(); i++) {
      if (code.functions[i] != NOWHERE) result.push_back({code.functions[i], ids_[i]});
    }
    std::sort(result.begin(), result.end(),
              [](const bpf_func_info& a, const bpf_func_info& b) { return a.insn_off < b.insn_off; });
    return result;
  }

 private:
  std::vector<uint32_t> ids_;  // of each function
};

uint32_t parameters_of_type(const btf* types, uint32_t id) {
  const btf_type* function = btf__type_by_id(types, id);
  if (function == nullptr || !btf_is_func(function)) return PARAMETERS_MAX;
  // the kernel checks calls of a static function by following them
  if (btf_vlen(function) == BTF_FUNC_STATIC) return 0;  // where the linkage is
  const btf_type* prototype = btf__type_by_id(types, function->type);
  return prototype == nullptr ? PARAMETERS_MAX : btf_vlen(prototype);
}

// Lines for the verifier's log: each function must begin with one.
std::vector<bpf_line_info> lines_of(const AssembledCode& code, const std::vector<bpf_line_info>& before) {
  std::vector<bpf_line_info> result;
  const bpf_line_info* last = nullptr;
  if (before.empty()) return result;
  for (uint32_t i = 0; i < code.instructions.size(); i++) {
    const bool begins = std::find(code.functions.begin(), code.functions.end(), i) != code.functions.end();
    const auto following = std::upper_bound(before.begin(), before.end(), code.places[i],
                                            [](uint32_t place, const bpf_line_info& line) { return place < line.insn_off; });
    const bpf_line_info& own = following == before.begin() ? before.front() : *(following - 1);
    if (!begins && last == &own) continue;
    last = &own;
    result.push_back(own);
    result.back().insn_off = i;
  }
  return result;
}

}  // namespace

Specialization::Specialization(const bpf_object* object, std::span<const uint8_t> bytes) : object_(object), bytes_(bytes) {
  chosen = this;
}

Specialization::~Specialization() { chosen = nullptr; }

int Specialization::rewrite(bpf_program* program, bpf_prog_load_opts* opts) {
  return chosen == nullptr ? 0 : chosen->rewrite_one(program, opts);
}

std::span<const bpf_insn> Specialization::original(const bpf_program* program) const {
  const auto found = kept_.find(program);
  if (found != kept_.end()) return found->second.original;
  return own_instructions(program);
}

int Specialization::rewrite_one(bpf_program* program, bpf_prog_load_opts* opts) {
  const std::span<const bpf_insn> before = own_instructions(program);
  const Configuration configuration = {configuration_map(before), bytes_};
  std::optional<Flow> flow = split(before);
  if (configuration.map < 0 || !flow) return 0;
  const FunctionTypes types(*flow, *opts);
  simplify(*flow, configuration, [&](uint32_t function) {
    return parameters_of_type(bpf_object__btf(object_), types.of(function));
  });
  const AssembledCode code = assemble(*flow);
  Kept& kept = kept_[program];
  kept.original.assign(before.begin(), before.end());
  kept.functions = types.records_of(code);
  kept.lines = lines_of(code, records<bpf_line_info>(opts->line_info, opts->line_info_cnt, opts->line_info_rec_size));
  opts->func_info = kept.functions.data();
  opts->func_info_cnt = static_cast<uint32_t>(kept.functions.size());
  opts->func_info_rec_size = sizeof(bpf_func_info);
  opts->line_info = kept.lines.data();
  opts->line_info_cnt = static_cast<uint32_t>(kept.lines.size());
  opts->line_info_rec_size = sizeof(bpf_line_info);
  auto* const instructions = const_cast<bpf_insn*>(code.instructions.data());
  return bpf_program__set_insns(program, instructions, code.instructions.size());
}

}  // namespace polytrace
