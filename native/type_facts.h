// What BTF says about one type, in plain C++: without JavaScript, so that a fuzzer can read it too.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

struct btf;

namespace polytrace {

// A parameter, or a member of a struct or union.
struct NamedType {
  std::string_view name;
  uint32_t type = 0;
  uint32_t bit_offset = 0;
  uint32_t bitfield_size = 0;  // 0 when it is no bit field
};

struct TypeFacts {
  uint32_t id = 0;  // behind qualifiers and typedefs; 0 is void
  const char* kind = "void";
  std::string_view name = "void";
  std::string_view alias;  // the outermost typedef
  bool is_signed = false;
  uint32_t size = 0;
  uint32_t target = 0;  // of a pointer or an array
};

// Types of a file must have a bounded depth, see type_depth.h. The names live as long as the types.
TypeFacts type_facts(const btf* types, uint32_t id);
// The parameters of a prototype; none where there is no such prototype.
std::vector<NamedType> params_of(const btf* types, uint32_t proto);
// The members of a struct or union; none of another type.
std::vector<NamedType> members_of(const btf* types, uint32_t id);
// The prototype of a function; 0 where it has none.
uint32_t prototype_of(const btf* types, uint32_t function);
// Void for prototypes without a result.
uint32_t result_of(const btf* types, uint32_t proto);
std::vector<std::string_view> names_of(const btf* types, uint32_t kind);

}  // namespace polytrace
