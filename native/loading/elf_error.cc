#include "loading/elf_error.h"

#include <libelf.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace polytrace {

// libelf keeps the last error of each thread. Reading it also clears it.
ElfErrorScope::ElfErrorScope() { elf_errno(); }

// The numbers of libelf's errors are not public, but their messages are.
int ElfErrorScope::resolve_error(int error) const {
  const int libelf_error = elf_errno();
  const bool no_memory = libelf_error != 0 && std::string_view(elf_errmsg(libelf_error)) == "out of memory";
  return no_memory ? ENOMEM : std::abs(error);
}

}  // namespace polytrace
