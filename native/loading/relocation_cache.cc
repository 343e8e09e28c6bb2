#include "loading/relocation_cache.h"

#include <bpf/btf.h>
#include <elf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "base/abi_types.h"
#include "base/error.h"
#include "base/handles.h"
#include "btf/btf_types.h"
#include "loading/embedded_objects.h"
#include "optimizer/instructions.h"

namespace polytrace {

namespace {

// Section and index of an instruction in an ELF file.
using InsnLocation = std::pair<uint32_t, uint32_t>;

// The header of .BTF.ext: Documentation/bpf/btf.rst of the kernel.
struct BtfExtHeader {
  uint16_t magic;
  uint8_t version, flags;
  uint32_t header_length;
  uint32_t func_info_offset, func_info_length;
  uint32_t line_info_offset, line_info_length;
  uint32_t relocations_offset, relocations_length;
};

struct SectionRecords {
  uint32_t section_name;
  uint32_t count;
};

struct Relocation {
  uint32_t offset;  // bytes from the start of the section
  uint32_t type, access, kind;
};

// Reads an object that is embedded in this addon. It is valid, so nothing is checked.
class Elf {
 public:
  explicit Elf(std::vector<uint8_t>& bytes) : bytes_(bytes) {
    const auto* header = at<Elf64_Ehdr>(0);
    sections_ = at<Elf64_Shdr>(header->e_shoff);
    names_ = text(sections_[header->e_shstrndx].sh_offset);
    count_ = header->e_shnum;
    for (uint32_t i = 0; i < count_; i++) {
      if (sections_[i].sh_type == SHT_SYMTAB) read_symbols(sections_[i]);
    }
    for (uint32_t i = 0; i < count_; i++) {
      if (sections_[i].sh_type == SHT_REL) read_relocations(sections_[i]);
    }
  }

  // Returns 0 if there is none.
  uint32_t section(const std::string& name) const {
    for (uint32_t i = 1; i < count_; i++) {
      if (name == names_ + sections_[i].sh_name) return i;
    }
    return 0;
  }
  uint64_t section_offset(uint32_t section) const { return sections_[section].sh_offset; }
  uint64_t section_size(uint32_t section) const { return sections_[section].sh_size; }
  bpf_insn* instruction(InsnLocation location) const {
    return at<bpf_insn>(sections_[location.first].sh_offset) + location.second;
  }

  template <typename Visit>
  void for_each_instruction(const Visit& visit) const {
    for (uint32_t i = 0; i < count_; i++) {
      if (sections_[i].sh_type != SHT_PROGBITS || (sections_[i].sh_flags & SHF_EXECINSTR) == 0) continue;
      auto* const first = at<bpf_insn>(sections_[i].sh_offset);
      for (uint64_t n = 0; n < sections_[i].sh_size / sizeof(bpf_insn); n++) visit(first[n]);
    }
  }

  // Sets `location` to where the function begins. Returns false if there is none.
  bool find_function(const char* name, InsnLocation& location) const {
    for (const auto& [start, function] : functions_) {
      if (name != function.name) continue;
      location = start;
      return true;
    }
    return false;
  }
  uint32_t function_length(InsnLocation start) const {
    const auto found = functions_.find(start);
    return found == functions_.end() ? 0 : found->second.length;
  }

  // libbpf makes a hidden function static for the verifier. Programs have sections of their own and stay visible.
  void hide_functions() const {
    for (uint32_t i = 0; i < count_; i++) {
      if (sections_[i].sh_type != SHT_SYMTAB) continue;
      auto* const symbols = at<Elf64_Sym>(sections_[i].sh_offset);
      for (uint64_t n = 0; n < sections_[i].sh_size / sizeof(Elf64_Sym); n++) {
        const bool is_function = ELF64_ST_TYPE(symbols[n].st_info) == STT_FUNC;
        if (is_function && ELF64_ST_BIND(symbols[n].st_info) == STB_GLOBAL && symbols[n].st_shndx == section(".text")) {
          symbols[n].st_other = STV_HIDDEN;
        }
      }
    }
  }

  // Returns whether the instruction gets an address when the object is loaded.
  bool has_symbol(InsnLocation location) const { return symbols_by_location_.contains(location); }

  // The function whose address a wide instruction loads.
  InsnLocation address_target(InsnLocation from) const {
    const InsnLocation symbol = symbols_by_location_.at(from);
    return {symbol.first, symbol.second + instruction(from)->imm / static_cast<int32_t>(sizeof(bpf_insn))};
  }

  InsnLocation call_target(InsnLocation from) const {
    const auto call = symbols_by_location_.find(from);
    const auto imm = static_cast<uint32_t>(instruction(from)->imm);
    if (call == symbols_by_location_.end()) return {from.first, from.second + imm + 1};
    return {call->second.first, call->second.second + imm + 1};
  }

  template <typename T>
  T* at(uint64_t offset) const {
    return reinterpret_cast<T*>(bytes_.data() + offset);
  }

 private:
  struct Function {
    std::string name;
    uint32_t length = 0;
  };

  const char* text(uint64_t offset) const { return at<const char>(offset); }

  void read_symbols(const Elf64_Shdr& table) {
    symbols_ = at<Elf64_Sym>(table.sh_offset);
    const char* names = text(sections_[table.sh_link].sh_offset);
    for (uint64_t i = 0; i < table.sh_size / sizeof(Elf64_Sym); i++) {
      const Elf64_Sym& symbol = symbols_[i];
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC) continue;
      const InsnLocation start(symbol.st_shndx, symbol.st_value / sizeof(bpf_insn));
      functions_[start] = {names + symbol.st_name, static_cast<uint32_t>(symbol.st_size / sizeof(bpf_insn))};
    }
  }

  void read_relocations(const Elf64_Shdr& table) {
    const auto* entries = at<Elf64_Rel>(table.sh_offset);
    for (uint64_t i = 0; i < table.sh_size / sizeof(Elf64_Rel); i++) {
      const Elf64_Sym& symbol = symbols_[ELF64_R_SYM(entries[i].r_info)];
      const InsnLocation from(table.sh_info, entries[i].r_offset / sizeof(bpf_insn));
      symbols_by_location_[from] = {symbol.st_shndx, static_cast<uint32_t>(symbol.st_value / sizeof(bpf_insn))};
    }
  }

  std::vector<uint8_t>& bytes_;
  const Elf64_Shdr* sections_ = nullptr;
  const Elf64_Sym* symbols_ = nullptr;
  const char* names_ = nullptr;
  uint32_t count_ = 0;
  std::map<InsnLocation, Function> functions_;
  std::map<InsnLocation, InsnLocation> symbols_by_location_;
};

// The relocations of an object, in its section .BTF.ext.
class Relocations {
 public:
  explicit Relocations(Elf& elf) : elf_(elf) {
    const uint32_t section = elf.section(".BTF");
    types_.reset(
        btf__new(elf.at<uint8_t>(elf.section_offset(section)), static_cast<uint32_t>(elf.section_size(section))));
    if (!types_) throw Failure{"OBJECT_CORRUPT", "cannot read the types of a BPF object", errno};
  }

  // Calls `visit` with each relocation and the location of its instruction.
  template <typename Visit>
  void for_each(const Visit& visit) {
    remove_if([&](const Relocation& each, InsnLocation location) {
      visit(each, location);
      return false;
    });
  }

  // Removes those for which `test` returns true.
  template <typename Test>
  void remove_if(const Test& test) {
    const uint64_t section_start = elf_.section_offset(elf_.section(".BTF.ext"));
    auto* const header = elf_.at<BtfExtHeader>(section_start);
    if (header->relocations_length == 0) return;
    const uint64_t start = section_start + header->header_length + header->relocations_offset;
    const uint64_t end = start + header->relocations_length;
    uint64_t to = start + sizeof(uint32_t);  // the size of a record
    for (uint64_t at = to; at < end;) {
      const SectionRecords records = *elf_.at<SectionRecords>(at);
      const uint32_t section = elf_.section(btf__name_by_offset(types_.get(), records.section_name));
      at += sizeof(records);
      const uint64_t kept = to;
      to += sizeof(records);
      for (uint32_t i = 0; i < records.count; i++, at += sizeof(Relocation)) {
        const Relocation each = *elf_.at<Relocation>(at);
        if (test(each, InsnLocation(section, each.offset / sizeof(bpf_insn)))) continue;
        *elf_.at<Relocation>(to) = each;
        to += sizeof(each);
      }
      const auto count = static_cast<uint32_t>((to - kept - sizeof(records)) / sizeof(Relocation));
      if (count == 0) to = kept;  // libbpf refuses a section without relocations
      else *elf_.at<SectionRecords>(kept) = {records.section_name, count};
    }
    header->relocations_length = to == start + sizeof(uint32_t) ? 0 : static_cast<uint32_t>(to - start);
  }

  // The name of the relocated type, without the suffix that tells versions of a struct apart, and its kind.
  std::string type_name(const Relocation& relocation) const {
    const std::string name = btf__name_by_offset(types_.get(), type(relocation)->name_off);
    return name.substr(0, name.find("___"));
  }
  uint32_t type_kind(const Relocation& relocation) const { return btf_kind(type(relocation)); }

 private:
  const btf_type* type(const Relocation& relocation) const { return btf__type_by_id(types_.get(), relocation.type); }

  Elf& elf_;
  BtfPtr types_;
};

// Finds the instructions that libbpf has relocated, by comparing an object with the programs that were loaded from it.
class RelocationFinder {
 public:
  explicit RelocationFinder(Elf& elf) : elf_(elf) { read_records(); }

  // Returns false when the program differs from the object in another way. Then nothing may be cached_objects.
  bool compare_program(const char* name, std::span<const bpf_insn> program) {
    InsnLocation start;
    if (!elf_.find_function(name, start)) return false;
    program_ = program;
    compared_.clear();
    return compare_function(start, 0);
  }

  // Writes the relocated instructions into the object. Functions that were not compared keep their unrelocated
  // instructions, because they are not loaded.
  void apply() {
    for (const auto& [location, relocated] : relocated_instructions_) *elf_.instruction(location) = relocated;
    elf_.at<BtfExtHeader>(elf_.section_offset(elf_.section(".BTF.ext")))->relocations_length = 0;
  }

 private:
  void read_records() {
    Relocations(elf_).for_each([this](const Relocation&, InsnLocation location) {
      relocated_locations_.insert(location);
      if (is_wide(*elf_.instruction(location))) relocated_locations_.insert({location.first, location.second + 1});
    });
  }

  // Addresses of functions and calls count from the next instruction.
  static uint32_t target_in_program(uint32_t at, const bpf_insn& each) {
    return at + 1 + static_cast<uint32_t>(each.imm);
  }

  bool compare_function(InsnLocation start, uint32_t at) {
    if (!compared_.insert(start).second) return true;
    const uint32_t length = elf_.function_length(start);
    if (length == 0 || at + length > program_.size()) return false;
    for (uint32_t i = 0; i < length; i++) {
      const InsnLocation location(start.first, start.second + i);
      const bpf_insn& was = *elf_.instruction(location);
      const bpf_insn& is = program_[at + i];
      if (relocated_locations_.contains(location)) {
        relocated_instructions_[location] = is;
        continue;
      }
      if (is_wide(was) && elf_.has_symbol(location)) {
        const bool is_function = is_callback(is);
        if (is_function && !compare_function(elf_.address_target(location), target_in_program(at + i, is)))
          return false;
        i++;  // otherwise it is the address of a map, which may have been left out
        continue;
      }
      if (was.code != is.code || was.dst_reg != is.dst_reg || was.off != is.off) return false;
      if (!is_subprogram_call(was)) continue;
      const InsnLocation target = elf_.call_target(location);
      const bool is_kernels = target.first == SHN_UNDEF;
      if (!is_kernels && !compare_function(target, target_in_program(at + i, is))) return false;
    }
    return true;
  }

  Elf& elf_;
  std::set<InsnLocation> relocated_locations_;
  std::map<InsnLocation, bpf_insn> relocated_instructions_;
  std::set<InsnLocation> compared_;
  std::span<const bpf_insn> program_;
};

std::mutex mutex;
std::map<std::string, std::vector<uint8_t>> cached_objects;
uint64_t cached_version = 0;

// The offsets in the cache are those of one file with types. Call it with the lock.
void forget_other_kernel_file() {
  const uint64_t version = BtfTypes::kernel_file_version();
  if (cached_version != version) cached_objects.clear();
  cached_version = version;
}

// A kernel function that programs call, and the number that stands for it in the built objects.
struct KernelCall {
  int32_t mark;
  const char* name;
  bool is_required;
};

constexpr KernelCall KERNEL_CALLS[] = {
    {RDONLY_CAST_MARK, "bpf_rdonly_cast", true},
    // Kernels without these two load only programs that never reach the calls.
    {PREEMPT_DISABLE_MARK, "bpf_preempt_disable", false},
    {PREEMPT_ENABLE_MARK, "bpf_preempt_enable", false},
};

// Writes the BTF ids that these functions have in this kernel into their calls. The probe flavour has no such calls.
void resolve_kernel_calls(const Elf& elf) {
  std::map<int32_t, std::vector<bpf_insn*>> calls;
  elf.for_each_instruction([&](bpf_insn& each) {
    if (each.code == (BPF_JMP | BPF_CALL) && each.src_reg == 0) calls[each.imm].push_back(&each);
  });
  for (const KernelCall& function : KERNEL_CALLS) {
    const auto found = calls.find(function.mark);
    if (found == calls.end()) continue;
    const uint32_t number = BtfTypes::load_own()->find(function.name, BTF_KIND_FUNC);
    if (number == 0 && function.is_required) {
      throw Failure{"NO_SUCH_FUNCTION", std::string("the kernel's BTF has no function ") + function.name, ENOENT};
    }
    if (number == 0) continue;
    for (bpf_insn* call : found->second) {
      call->src_reg = BPF_PSEUDO_KFUNC_CALL;
      call->imm = static_cast<int32_t>(number);
    }
  }
}

// Writes the BTF ids that types have in this kernel, which calls of bpf_rdonly_cast take. libbpf gets only a copy of
// some types, with other ids.
void resolve_type_ids(const Elf& elf, Relocations& relocations) {
  std::shared_ptr<BtfTypes> kernel;
  relocations.remove_if([&](const Relocation& each, InsnLocation location) {
    if (each.kind != BPF_CORE_TYPE_ID_TARGET) return false;
    if (!kernel) kernel = BtfTypes::load_own();
    const uint32_t id = kernel->find(relocations.type_name(each), relocations.type_kind(each));
    if (id == 0) return false;  // libbpf does not find it, either, and makes the instruction invalid
    elf.instruction(location)->imm = static_cast<int32_t>(id);
    return true;
  });
}

ObjectBytes read_embedded(const std::string& name) {
  ObjectBytes object = {decompress_object(name), {}};
  if (object.bytes.empty()) return object;
  Elf elf(object.bytes);
  resolve_kernel_calls(elf);
  Relocations relocations(elf);
  resolve_type_ids(elf, relocations);
  relocations.for_each([&](const Relocation& each, InsnLocation) { object.types.insert(relocations.type_name(each)); });
  return object;
}

}  // namespace

ObjectBytes object_bytes(const std::string& name, const std::string& programs) {
  const std::scoped_lock lock(mutex);
  forget_other_kernel_file();
  const auto found = cached_objects.find(name + " " + programs);
  return found == cached_objects.end() ? read_embedded(name) : ObjectBytes{found->second, {}};
}

ObjectBytes object_bytes_for_maps(const std::string& name) {
  ObjectBytes object = {decompress_object(name), {}};
  if (object.bytes.empty()) return object;
  Elf elf(object.bytes);
  Relocations(elf).remove_if([](const Relocation&, InsnLocation) { return true; });
  return object;
}

void hide_functions(std::vector<uint8_t>& bytes) { Elf(bytes).hide_functions(); }

std::span<const bpf_insn> program_instructions(const bpf_program* program) {
  return {bpf_program__insns(program), bpf_program__insn_cnt(program)};
}

void cache_relocated(const std::string& name, const std::string& programs, bpf_object* loaded,
                     const GetInstructions& get_instructions) {
  const std::scoped_lock lock(mutex);
  forget_other_kernel_file();
  const std::string key = name + " " + programs;
  if (cached_objects.contains(key)) return;
  std::vector<uint8_t> bytes = read_embedded(name).bytes;
  Elf elf(bytes);
  RelocationFinder relocated(elf);
  bpf_program* program;
  bpf_object__for_each_program(program, loaded) {
    if (!bpf_program__autoload(program)) continue;
    if (!relocated.compare_program(bpf_program__name(program), get_instructions(program))) return;
  }
  relocated.apply();
  cached_objects.emplace(key, std::move(bytes));
}

}  // namespace polytrace
