#include "attach/elf_symbol.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>

#include <memory>

#include "base/handles.h"

namespace polytrace {

namespace {

struct ElfEnd {
  void operator()(Elf* elf) const { elf_end(elf); }
};
using ElfPtr = std::unique_ptr<Elf, ElfEnd>;

// A symbol of the file: its offset, and how it is defined.
struct FoundSymbol {
  uint64_t offset = 0;
  bool is_weak = false;
  bool is_ambiguous = false;
};

std::optional<uint64_t> offset_in_file(Elf* elf, const GElf_Sym& symbol) {
  GElf_Shdr header;
  if (gelf_getshdr(elf_getscn(elf, symbol.st_shndx), &header) == nullptr) return std::nullopt;
  return symbol.st_value - header.sh_addr + header.sh_offset;
}

// A global symbol replaces a weak one. Two equally strong symbols at different offsets are ambiguous.
void merge_symbol(std::optional<FoundSymbol>& found, uint64_t offset, bool is_weak) {
  if (!found || (found->is_weak && !is_weak)) {
    found = FoundSymbol{offset, is_weak};
  } else if (found->is_weak == is_weak && found->offset != offset) {
    found->is_ambiguous = true;
  }
}

std::optional<FoundSymbol> find_in_section(Elf* elf, Elf_Scn* section, const GElf_Shdr& header,
                                           const std::string& name) {
  std::optional<FoundSymbol> found;
  Elf_Data* const data = elf_getdata(section, nullptr);
  GElf_Sym symbol;
  for (int i = 0; data != nullptr && gelf_getsym(data, i, &symbol) != nullptr; i++) {
    if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
    const char* const text = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (text == nullptr || name != text) continue;
    const auto offset = offset_in_file(elf, symbol);
    if (offset) merge_symbol(found, *offset, GELF_ST_BIND(symbol.st_info) == STB_WEAK);
  }
  return found;
}

std::optional<FoundSymbol> find_in_table(Elf* elf, uint32_t type, const std::string& name) {
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != type) continue;
    return find_in_section(elf, section, header, name);
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> function_offset(const std::string& path, const std::string& name) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.value < 0 || elf_version(EV_CURRENT) == EV_NONE) return std::nullopt;
  const ElfPtr elf(elf_begin(file.value, ELF_C_READ, nullptr));
  if (!elf) return std::nullopt;
  // the dynamic symbols have precedence
  auto found = find_in_table(elf.get(), SHT_DYNSYM, name);
  if (!found) found = find_in_table(elf.get(), SHT_SYMTAB, name);
  if (!found || found->is_ambiguous) return std::nullopt;
  return found->offset;
}

}  // namespace polytrace
