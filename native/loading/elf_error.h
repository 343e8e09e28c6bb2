// Finds out why libbpf could not read an ELF file.
#pragma once

namespace polytrace {

// Declared before a call of libbpf that reads an ELF file through libelf. After a failure, resolve_error() returns the
// reason.
class ElfErrorScope {
 public:
  ElfErrorScope();
  // Returns the error of libbpf as a positive errno. It returns ENOMEM if libelf had no memory: libbpf then reports
  // another error.
  int resolve_error(int error) const;
};

}  // namespace polytrace
