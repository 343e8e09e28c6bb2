#include "btf/reduced_types.h"

#include <bpf/btf.h>

#include <cerrno>
#include <map>

#include "base/error.h"
#include "base/handles.h"

namespace polytrace {

namespace {

bool is_relocatable(const btf_type* type) {
  return btf_is_composite(type) || btf_is_any_enum(type) || btf_is_typedef(type) || btf_is_int(type);
}

// Calls `visit` with each id in the type, except for that behind a pointer.
template <typename Visit>
void for_each_part(btf_type* type, const Visit& visit) {
  if (btf_is_composite(type)) {
    btf_member* const members = btf_members(type);
    for (uint32_t i = 0; i < btf_vlen(type); i++) visit(members[i].type);
  } else if (btf_is_array(type)) {
    visit(btf_array(type)->type);
    visit(btf_array(type)->index_type);
  } else if (btf_is_mod(type) || btf_is_typedef(type)) {
    visit(type->type);
  }
}

class Reduction {
 public:
  explicit Reduction(const btf* from) : from_(from), to_(btf__new_empty()) {
    if (!to_) throw_error(-errno);
  }

  // The depth is bounded: types of a file are checked for it (type_depth.h).
  void add(uint32_t id) {
    if (id == 0 || copies_.contains(id)) return;
    const btf_type* const type = btf__type_by_id(from_, id);
    const int copy = btf__add_type(to_.get(), from_, type);
    if (copy < 0) throw_error(copy);
    copies_[id] = static_cast<uint32_t>(copy);
    for_each_part(const_cast<btf_type*>(type), [this](const uint32_t& part) { add(part); });
  }

  // Writes the new ids into the copies.
  std::vector<uint8_t> finish() {
    for (uint32_t id = 1; id < btf__type_cnt(to_.get()); id++) {
      // libbpf has no other way to change a type
      auto* const type = const_cast<btf_type*>(btf__type_by_id(to_.get(), id));
      if (btf_is_ptr(type)) type->type = 0;
      for_each_part(type, [this](uint32_t& part) { part = part == 0 ? 0 : copies_.at(part); });
    }
    uint32_t size = 0;
    const auto* const bytes = static_cast<const uint8_t*>(btf__raw_data(to_.get(), &size));
    if (bytes == nullptr) throw_error(-ENOMEM);
    return {bytes, bytes + size};
  }

 private:
  [[noreturn]] static void throw_error(int error) {
    throw Failure{"BTF_UNREADABLE", "cannot copy types of the kernel", error};
  }

  const btf* from_;
  BtfPtr to_;
  std::map<uint32_t, uint32_t> copies_;
};

}  // namespace

std::vector<uint8_t> reduce_types(BtfTypes& types, const std::set<std::string>& names) {
  Reduction reduction(types.get());
  for (const std::string& name : names) {
    for (const uint32_t id : types.find_all(name)) {
      if (is_relocatable(btf__type_by_id(types.get(), id))) reduction.add(id);
    }
  }
  return reduction.finish();
}

}  // namespace polytrace
