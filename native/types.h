// Types from BTF, read once and shared. The objects never change, so that all threads may use them.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "error.h"

struct btf;

namespace polytrace {

class Types {
 public:
  // The running kernel's. As long as somebody holds them, everybody in the process gets the same. Throws BTF_UNREADABLE.
  static std::shared_ptr<Types> of_kernel();
  // The same with those of one of its modules. Throws BTF_UNREADABLE.
  static std::shared_ptr<Types> of_module(const std::string& name);
  // Those of a file: raw BTF, or an ELF file with a .BTF section. Throws BTF_UNREADABLE, also where types contain themselves.
  static std::shared_ptr<Types> of_file(const std::string& path);

  const btf* get() const { return types_.get(); }
  // Memory that this object uses, about; without that of the kernel's types below a module's.
  size_t bytes() const;
  // Prepares find(), which takes some milliseconds.
  void index();
  // The id of the type of this kind (BTF_KIND_…); 0 where there is none. When several have the name, the first one counts, as in
  // libbpf.
  uint32_t find(std::string_view name, uint32_t kind);

 private:
  struct Deleter {
    void operator()(btf* types) const;
  };
  using BtfPtr = std::unique_ptr<btf, Deleter>;

  Types(BtfPtr types, std::shared_ptr<Types> base) : base_(std::move(base)), types_(std::move(types)) {}
  static std::shared_ptr<Types> make(btf* types, std::shared_ptr<Types> base, const std::string& what, const LogScope& log);

  std::string_view name_of(uint32_t id) const;
  uint32_t& chain_of(std::string_view name);

  std::shared_ptr<Types> base_;  // the kernel's, when types_ are a module's
  BtfPtr types_;
  std::once_flag indexed_;
  // A hash table of ids by name, filled by index(): the first id of each chain, and the one after each id. 0 ends a chain.
  std::vector<uint32_t> first_, next_;
};

}  // namespace polytrace
