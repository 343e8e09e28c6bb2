#include "elf_scope.h"

#include <libelf.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace polytrace {

// libelf keeps its last error for each thread, and returns it once.
ElfScope::ElfScope() { elf_errno(); }

// The numbers of libelf's errors are not public, their texts are.
int ElfScope::error_of(int error) const {
  const int own = elf_errno();
  const bool no_memory = own != 0 && std::string_view(elf_errmsg(own)) == "out of memory";
  return no_memory ? ENOMEM : std::abs(error);
}

}  // namespace polytrace
