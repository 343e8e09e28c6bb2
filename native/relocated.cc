#include "relocated.h"

#include <bpf/btf.h>
#include <elf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "abi_types.h"
#include "error.h"
#include "instructions.h"
#include "objects.h"
#include "types.h"

namespace polytrace {

namespace {

// Section and index of an instruction in an ELF file.
using Place = std::pair<uint32_t, uint32_t>;

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

// Reads an object that was built with this addon. It is known to be valid, so nothing is checked.
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

  // Returns 0 when there is none.
  uint32_t section(const std::string& name) const {
    for (uint32_t i = 1; i < count_; i++) {
      if (name == names_ + sections_[i].sh_name) return i;
    }
    return 0;
  }
  uint64_t offset_of(uint32_t section) const { return sections_[section].sh_offset; }
  bpf_insn* instruction(Place place) const {
    return at<bpf_insn>(sections_[place.first].sh_offset) + place.second;
  }

  template <typename Visit>
  void for_each_instruction(const Visit& visit) const {
    for (uint32_t i = 0; i < count_; i++) {
      if (sections_[i].sh_type != SHT_PROGBITS || (sections_[i].sh_flags & SHF_EXECINSTR) == 0) continue;
      auto* const first = at<bpf_insn>(sections_[i].sh_offset);
      for (uint64_t n = 0; n < sections_[i].sh_size / sizeof(bpf_insn); n++) visit(first[n]);
    }
  }

  // Sets `place` to where the function begins. Returns false when there is none.
  bool find_function(const char* name, Place& place) const {
    for (const auto& [start, function] : functions_) {
      if (name != function.name) continue;
      place = start;
      return true;
    }
    return false;
  }
  uint32_t length_of(Place start) const {
    const auto found = functions_.find(start);
    return found == functions_.end() ? 0 : found->second.length;
  }

  // Returns whether the instruction gets an address when the object is loaded.
  bool has_symbol(Place place) const { return symbols_of_.count(place) > 0; }

  // The function whose address a wide instruction loads.
  Place target_of_address(Place from) const {
    const Place symbol = symbols_of_.at(from);
    return {symbol.first, symbol.second + instruction(from)->imm / static_cast<int32_t>(sizeof(bpf_insn))};
  }

  Place target_of_call(Place from) const {
    const auto call = symbols_of_.find(from);
    const auto imm = static_cast<uint32_t>(instruction(from)->imm);
    if (call == symbols_of_.end()) return {from.first, from.second + imm + 1};
    return {call->second.first, call->second.second + imm + 1};
  }

  template <typename T>
  T* at(uint64_t offset) const {
    return reinterpret_cast<T*>(bytes_.data() + offset);
  }

 private:
  struct Function {
    std::string name;
    uint32_t length;
  };

  const char* text(uint64_t offset) const { return at<const char>(offset); }

  void read_symbols(const Elf64_Shdr& table) {
    symbols_ = at<Elf64_Sym>(table.sh_offset);
    const char* names = text(sections_[table.sh_link].sh_offset);
    for (uint64_t i = 0; i < table.sh_size / sizeof(Elf64_Sym); i++) {
      const Elf64_Sym& symbol = symbols_[i];
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC) continue;
      const Place start(symbol.st_shndx, symbol.st_value / sizeof(bpf_insn));
      functions_[start] = {names + symbol.st_name, static_cast<uint32_t>(symbol.st_size / sizeof(bpf_insn))};
    }
  }

  void read_relocations(const Elf64_Shdr& table) {
    const auto* entries = at<Elf64_Rel>(table.sh_offset);
    for (uint64_t i = 0; i < table.sh_size / sizeof(Elf64_Rel); i++) {
      const Elf64_Sym& symbol = symbols_[ELF64_R_SYM(entries[i].r_info)];
      const Place from(table.sh_info, entries[i].r_offset / sizeof(bpf_insn));
      symbols_of_[from] = {symbol.st_shndx, static_cast<uint32_t>(symbol.st_value / sizeof(bpf_insn))};
    }
  }

  std::vector<uint8_t>& bytes_;
  const Elf64_Shdr* sections_ = nullptr;
  const Elf64_Sym* symbols_ = nullptr;
  const char* names_ = nullptr;
  uint32_t count_ = 0;
  std::map<Place, Function> functions_;
  std::map<Place, Place> symbols_of_;
};

// Finds the instructions that libbpf has relocated, by comparing an object with the programs that were loaded from it.
class Relocated {
 public:
  explicit Relocated(Elf& elf) : elf_(elf) { read_records(); }

  // Returns false when the program differs from the object in another way. Then nothing may be kept.
  bool follow(const char* name, std::span<const bpf_insn> program) {
    Place start;
    if (!elf_.find_function(name, start)) return false;
    program_ = program;
    seen_.clear();
    return follow_function(start, 0);
  }

  // Instructions that were not reached keep their relocations; they are not loaded.
  void apply() {
    for (const auto& [place, became] : became_) *elf_.instruction(place) = became;
    elf_.at<BtfExtHeader>(elf_.offset_of(elf_.section(".BTF.ext")))->relocations_length = 0;
  }

 private:
  void read_records() {
    const uint64_t start = elf_.offset_of(elf_.section(".BTF.ext"));
    const auto* header = elf_.at<BtfExtHeader>(start);
    uint64_t at = start + header->header_length + header->relocations_offset;
    const uint64_t end = at + header->relocations_length;
    const uint64_t types = elf_.offset_of(elf_.section(".BTF"));
    // struct btf_header: the fifth word is the strings' offset from the header's end, the second is the header's length
    const char* strings = elf_.at<const char>(types + elf_.at<uint32_t>(types)[1] + elf_.at<uint32_t>(types)[4]);
    at += sizeof(uint32_t);  // the size of a record
    while (at < end) {
      const auto* records = elf_.at<SectionRecords>(at);
      const uint32_t section = elf_.section(strings + records->section_name);
      at += sizeof(*records);
      for (uint32_t i = 0; i < records->count; i++, at += sizeof(Relocation)) {
        const uint32_t index = elf_.at<Relocation>(at)->offset / sizeof(bpf_insn);
        relocated_.insert({section, index});
        if (is_wide(*elf_.instruction({section, index}))) relocated_.insert({section, index + 1});
      }
    }
  }

  // Addresses of functions and calls count from the next instruction.
  static uint32_t target_in_program(uint32_t at, const bpf_insn& each) {
    return at + 1 + static_cast<uint32_t>(each.imm);
  }

  bool follow_function(Place start, uint32_t at) {
    if (!seen_.insert(start).second) return true;
    const uint32_t length = elf_.length_of(start);
    if (length == 0 || at + length > program_.size()) return false;
    for (uint32_t i = 0; i < length; i++) {
      const Place place(start.first, start.second + i);
      const bpf_insn& was = *elf_.instruction(place);
      const bpf_insn& is = program_[at + i];
      if (relocated_.count(place) > 0) {
        became_[place] = is;
        continue;
      }
      if (is_wide(was) && elf_.has_symbol(place)) {
        const bool is_function = is_callback(is);
        if (is_function && !follow_function(elf_.target_of_address(place), target_in_program(at + i, is))) return false;
        i++;  // otherwise the address of a map; the map may have been left out
        continue;
      }
      if (was.code != is.code || was.dst_reg != is.dst_reg || was.off != is.off) return false;
      if (!is_own_call(was)) continue;
      const Place target = elf_.target_of_call(place);
      const bool is_kernels = target.first == SHN_UNDEF;
      if (!is_kernels && !follow_function(target, target_in_program(at + i, is))) return false;
    }
    return true;
  }

  Elf& elf_;
  std::set<Place> relocated_;
  std::map<Place, bpf_insn> became_;
  std::set<Place> seen_;
  std::span<const bpf_insn> program_;
};

std::mutex mutex;
std::map<std::string, std::vector<uint8_t>> kept;

// Calls of bpf_rdonly_cast get the number that the function has in this kernel. The probe flavour has none.
void number_casts(std::vector<uint8_t>& bytes) {
  std::vector<bpf_insn*> calls;
  Elf(bytes).for_each_instruction([&](bpf_insn& each) {
    if (each.code == (BPF_JMP | BPF_CALL) && each.src_reg == 0 && each.imm == RDONLY_CAST_MARK) calls.push_back(&each);
  });
  if (calls.empty()) return;
  const uint32_t number = Types::of_kernel()->find("bpf_rdonly_cast", BTF_KIND_FUNC);
  if (number == 0) throw Failure{"NO_SUCH_FUNCTION", "the kernel's BTF has no function bpf_rdonly_cast", ENOENT};
  for (bpf_insn* call : calls) {
    call->src_reg = BPF_PSEUDO_KFUNC_CALL;
    call->imm = static_cast<int32_t>(number);
  }
}

std::vector<uint8_t> as_built(const std::string& name) {
  const EmbeddedObject embedded = find_object(name);
  const auto* begin = static_cast<const uint8_t*>(embedded.data);
  std::vector<uint8_t> bytes(begin, begin + embedded.size);
  if (!bytes.empty()) number_casts(bytes);
  return bytes;
}

}  // namespace

std::vector<uint8_t> object_bytes(const std::string& name, const std::string& programs) {
  const std::scoped_lock lock(mutex);
  const auto found = kept.find(name + " " + programs);
  return found == kept.end() ? as_built(name) : found->second;
}

std::span<const bpf_insn> own_instructions(const bpf_program* program) {
  return {bpf_program__insns(program), bpf_program__insn_cnt(program)};
}

void keep_relocated(const std::string& name, const std::string& programs, bpf_object* loaded,
                    const InstructionsOf& instructions_of) {
  const std::scoped_lock lock(mutex);
  const std::string key = name + " " + programs;
  if (kept.count(key) > 0) return;
  std::vector<uint8_t> bytes = as_built(name);
  Elf elf(bytes);
  Relocated relocated(elf);
  bpf_program* program;
  bpf_object__for_each_program(program, loaded) {
    if (!bpf_program__autoload(program)) continue;
    if (!relocated.follow(bpf_program__name(program), instructions_of(program))) return;
  }
  relocated.apply();
  kept.emplace(key, std::move(bytes));
}

}  // namespace polytrace
