// The types of a kernel, from BTF that is read once and shared. An object never changes, so all threads may use it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/handles.h"

struct btf;

namespace polytrace {

// The choice of a file with the types of the running kernel, in place of the kernel's own BTF. It applies to the whole
// process, as long as somebody holds it.
struct KernelTypesFile {
  explicit KernelTypesFile(const std::string& name);
  const std::string path;  // empty for the kernel's own BTF
  const Fd file;
};

class BtfTypes {
 public:
  // Chooses the file; an empty path chooses the kernel's own BTF. Throws BTF_UNREADABLE for a file that cannot describe
  // this kernel, and BAD_OPTION while another choice is held.
  static std::shared_ptr<const KernelTypesFile> choose_kernel_file(const std::string& path);
  // Changes with the choice.
  static uint64_t kernel_file_version();
  // Loads the types of the running kernel: of the chosen file, or the kernel's own. While a caller still has them, all
  // callers in the process share them. Throws BTF_UNREADABLE.
  static std::shared_ptr<BtfTypes> load_kernel();
  // Loads the kernel's own BTF, also if a file is chosen. Only its ids are known to the kernel. Throws BTF_UNREADABLE.
  static std::shared_ptr<BtfTypes> load_own();
  // Returns whether the kernel has BTF of its own.
  static bool has_own();
  // Loads the BTF of one of the kernel's modules, on top of the kernel's. Throws BTF_UNREADABLE.
  static std::shared_ptr<BtfTypes> load_module(const std::string& name);
  // Loads a file: raw BTF, or an ELF file with a .BTF section. Throws BTF_UNREADABLE, also if a type contains itself.
  static std::shared_ptr<BtfTypes> load_file(const std::string& path);

  const btf* get() const { return types_.get(); }
  // The approximate memory that this object uses. It does not include the kernel's BTF below a module's.
  size_t bytes() const;
  // Builds the hash table of find(), which takes some milliseconds.
  void index();
  // Finds the id of the type of this kind (BTF_KIND_…); 0 if there is none. If several types have the name, it is the
  // first one, as in libbpf.
  uint32_t find(std::string_view name, uint32_t kind);
  // The ids of all types of this name, of any kind.
  std::vector<uint32_t> find_all(std::string_view name);

 private:
  BtfTypes(BtfPtr types, std::shared_ptr<BtfTypes> base) : base_(std::move(base)), types_(std::move(types)) {}
  static std::shared_ptr<BtfTypes> load_open_file(const Fd& file, const std::string& path);
  static std::shared_ptr<BtfTypes> take_ownership(btf* types, std::shared_ptr<BtfTypes> base, const std::string& what,
                                                  const LogScope& log);

  std::string_view type_name(uint32_t id) const;
  uint32_t& chain_head(std::string_view name);

  std::shared_ptr<BtfTypes> base_;  // the kernel's BTF, if types_ is a module's
  BtfPtr types_;
  std::once_flag indexed_;
  // A hash table of ids by name, filled by index(): the first id of each chain, and the next id after each id. 0 ends a
  // chain.
  std::vector<uint32_t> first_, next_;
};

}  // namespace polytrace
