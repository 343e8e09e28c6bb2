#include "loading/specialization.h"

#include <bpf/btf.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>

#include "loading/relocation_cache.h"
#include "optimizer/code_layout.h"
#include "optimizer/optimize.h"

namespace polytrace {

namespace {

thread_local Specialization* current = nullptr;

// Returns the descriptor of the configuration map, or -1. It is read from the instructions: libbpf reports no
// descriptors of maps before the programs are loaded.
int find_configuration_map(std::span<const bpf_insn> program) {
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

// Copies an array of records of `size` bytes each. The kernel may extend the records.
template <typename Record>
std::vector<Record> copy_records(const void* first, uint32_t count, uint32_t size) {
  std::vector<Record> result(first == nullptr || size < sizeof(Record) ? 0 : count);
  for (size_t i = 0; i < result.size(); i++) {
    std::memcpy(&result[i], static_cast<const uint8_t*>(first) + i * size, sizeof(Record));
  }
  return result;
}

// The BTF types of a program's functions; the program may have none.
class FunctionTypes {
 public:
  FunctionTypes(const ControlFlowGraph& cfg, const bpf_prog_load_opts& opts) {
    const auto known = copy_records<bpf_func_info>(opts.func_info, opts.func_info_cnt, opts.func_info_rec_size);
    if (known.empty()) return;
    for (const Function& function : cfg.functions) {
      const auto found = std::find_if(known.begin(), known.end(), [&](const bpf_func_info& each) {
        return each.insn_off == function.original_index;
      });
      ids_.push_back(found == known.end() ? 0 : found->type_id);
    }
  }

  // Returns 0 if the type is not known.
  uint32_t type_id(uint32_t function) const { return ids_.empty() ? 0 : ids_[function]; }

  // Makes the records for the new code, in its order, as the kernel requires.
  std::vector<bpf_func_info> make_records(const LaidOutCode& code) const {
    std::vector<bpf_func_info> result;
    for (uint32_t i = 0; i < ids_.size(); i++) {
      if (code.function_offsets[i] != NONE) result.push_back({code.function_offsets[i], ids_[i]});
    }
    std::sort(result.begin(), result.end(),
              [](const bpf_func_info& a, const bpf_func_info& b) { return a.insn_off < b.insn_off; });
    return result;
  }

 private:
  std::vector<uint32_t> ids_;  // the type of each function
};

// Counts the parameters of a function of this type that the kernel checks at a call.
uint32_t count_parameters(const btf* types, uint32_t id) {
  const btf_type* function = btf__type_by_id(types, id);
  if (function == nullptr || !btf_is_func(function)) return PARAMETERS_MAX;
  // the kernel follows calls of a static function instead of checking parameters
  if (btf_vlen(function) == BTF_FUNC_STATIC) return 0;  // vlen contains the linkage
  const btf_type* prototype = btf__type_by_id(types, function->type);
  return prototype == nullptr ? PARAMETERS_MAX : btf_vlen(prototype);
}

// Makes the line records for the verifier's log. Each function must begin with one.
std::vector<bpf_line_info> make_line_info(const LaidOutCode& code, const std::vector<bpf_line_info>& before) {
  std::vector<bpf_line_info> result;
  const bpf_line_info* last = nullptr;
  if (before.empty()) return result;
  for (uint32_t i = 0; i < code.instructions.size(); i++) {
    const bool begins =
        std::find(code.function_offsets.begin(), code.function_offsets.end(), i) != code.function_offsets.end();
    const auto following =
        std::upper_bound(before.begin(), before.end(), code.original_indexes[i],
                         [](uint32_t index, const bpf_line_info& line) { return index < line.insn_off; });
    const bpf_line_info& own = following == before.begin() ? before.front() : *(following - 1);
    if (!begins && last == &own) continue;
    last = &own;
    result.push_back(own);
    result.back().insn_off = i;
  }
  return result;
}

}  // namespace

Specialization::Specialization(const bpf_object* object, std::span<const uint8_t> bytes, bool is_enabled)
    : object_(object), bytes_(bytes) {
  if (is_enabled) current = this;
}

Specialization::~Specialization() { current = nullptr; }

int Specialization::rewrite(bpf_program* program, bpf_prog_load_opts* opts) {
  return current == nullptr ? 0 : current->rewrite_program(program, opts);
}

std::span<const bpf_insn> Specialization::original_instructions(const bpf_program* program) const {
  const auto found = rewritten_.find(program);
  if (found != rewritten_.end()) return found->second.original;
  return program_instructions(program);
}

int Specialization::rewrite_program(bpf_program* program, bpf_prog_load_opts* opts) {
  const std::span<const bpf_insn> before = program_instructions(program);
  const Configuration configuration = {find_configuration_map(before), bytes_};
  std::optional<ControlFlowGraph> cfg = build_cfg(before);
  if (configuration.map < 0 || !cfg) return 0;
  const FunctionTypes types(*cfg, *opts);
  optimize(*cfg, configuration,
           [&](uint32_t function) { return count_parameters(bpf_object__btf(object_), types.type_id(function)); });
  const std::optional<LaidOutCode> laid_out = lay_out_code(*cfg);
  if (!laid_out) return 0;
  const LaidOutCode& code = *laid_out;
  Rewritten& rewritten = rewritten_[program];
  rewritten.original.assign(before.begin(), before.end());
  rewritten.functions = types.make_records(code);
  rewritten.lines =
      make_line_info(code, copy_records<bpf_line_info>(opts->line_info, opts->line_info_cnt, opts->line_info_rec_size));
  opts->func_info = rewritten.functions.data();
  opts->func_info_cnt = static_cast<uint32_t>(rewritten.functions.size());
  opts->func_info_rec_size = sizeof(bpf_func_info);
  opts->line_info = rewritten.lines.data();
  opts->line_info_cnt = static_cast<uint32_t>(rewritten.lines.size());
  opts->line_info_rec_size = sizeof(bpf_line_info);
  auto* const instructions = const_cast<bpf_insn*>(code.instructions.data());
  return bpf_program__set_insns(program, instructions, code.instructions.size());
}

}  // namespace polytrace
