#include "btf/type_depth.h"

#include <bpf/btf.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace polytrace {

namespace {

// The kernel itself accepts 32.
constexpr uint32_t DEPTH_MAX = 64;
constexpr uint32_t MEMBERS_MAX = 100'000;

// What is known about one type. OPEN: the walk is inside it.
struct Extent {
  enum { NEW, OPEN, DONE } state = NEW;
  uint32_t depth = 0;
  uint64_t members = 0;  // including unnamed members and their own members
};

class Walk {
 public:
  explicit Walk(const btf* types) : types_(types), extents_(btf__type_cnt(types)) {}

  bool check_all() {
    for (uint32_t id = 1; id < extents_.size(); id++) {
      if (!check(id, 0)) return false;
    }
    return true;
  }

 private:
  // Recursion goes no deeper than DEPTH_MAX.
  bool check(uint32_t id, uint32_t level) {
    if (id == 0) return true;
    if (id >= extents_.size() || level > DEPTH_MAX) return false;
    Extent& own = extents_[id];
    if (own.state == Extent::OPEN) return false;
    if (own.state == Extent::DONE) return true;
    own.state = Extent::OPEN;
    if (!check_parts(btf__type_by_id(types_, id), own, level)) return false;
    own.state = Extent::DONE;
    return own.depth <= DEPTH_MAX && own.members <= MEMBERS_MAX;
  }

  bool check_parts(const btf_type* type, Extent& own, uint32_t level) {
    if (type == nullptr) return false;
    if (btf_is_mod(type) || btf_is_typedef(type)) return add(type->type, own, level, true);
    if (btf_is_array(type)) return add(btf_array(type)->type, own, level, false);
    if (!btf_is_composite(type)) return true;
    const btf_member* members = btf_members(type);
    for (uint32_t i = 0; i < btf_vlen(type); i++) {
      const char* name = btf__name_by_offset(types_, members[i].name_off);
      const bool is_named = name != nullptr && *name != '\0';
      own.members++;
      if (!add(members[i].type, own, level, !is_named)) return false;
    }
    return true;
  }

  // `inherits`: the members of the part count as members of the whole.
  bool add(uint32_t part, Extent& own, uint32_t level, bool inherits) {
    if (!check(part, level + 1)) return false;
    if (part == 0) return true;
    own.depth = std::max(own.depth, extents_[part].depth + 1);
    if (inherits) own.members += extents_[part].members;
    return own.members <= MEMBERS_MAX;
  }

  const btf* const types_;
  std::vector<Extent> extents_;
};

}  // namespace

bool has_bounded_depth(const btf* types) { return Walk(types).check_all(); }

}  // namespace polytrace
