// Describes one type of BTF in plain C++. It needs no JavaScript, so a fuzzer can use it too.
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

struct TypeDescription {
  uint32_t id = 0;  // behind qualifiers and typedefs; 0 is void
  const char* kind = "void";
  std::string_view name = "void";
  std::string_view alias;  // the outermost typedef
  bool is_signed = false;
  uint32_t size = 0;
  uint32_t target = 0;  // of a pointer or an array
};

// Describes the type behind qualifiers and typedefs. Types of a file must have a bounded depth, see type_depth.h. The
// names live as long as the types.
TypeDescription describe_type(const btf* types, uint32_t id);
// The parameters of a prototype; none if the id is not a prototype.
std::vector<NamedType> prototype_params(const btf* types, uint32_t proto);
// The members of a struct or union; none for another type.
std::vector<NamedType> composite_members(const btf* types, uint32_t id);
// The id of the prototype of a function; 0 if it has none.
uint32_t function_prototype(const btf* types, uint32_t function);
// The id of the type that a function with this prototype returns; 0 for void.
uint32_t return_type(const btf* types, uint32_t proto);
// The names of all types of this kind (BTF_KIND_…).
std::vector<std::string_view> type_names(const btf* types, uint32_t kind);

}  // namespace polytrace
