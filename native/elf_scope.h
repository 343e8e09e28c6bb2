// Why libbpf could not read an ELF file.
#pragma once

namespace polytrace {

// Runs a call of libbpf that reads an ELF file through libelf. Afterwards, error_of() says what went wrong.
class ElfScope {
 public:
  ElfScope();
  // The number of libbpf as a positive errno, or ENOMEM where libelf had no memory: libbpf then reports a number of its own, or
  // EINVAL.
  int error_of(int error) const;
};

}  // namespace polytrace
