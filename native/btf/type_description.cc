#include "btf/type_description.h"

#include <bpf/btf.h>

namespace polytrace {

namespace {

const char* kind_name(const btf_type* type) {
  switch (btf_kind(type)) {
    case BTF_KIND_INT: return "int";
    case BTF_KIND_PTR: return "pointer";
    case BTF_KIND_ARRAY: return "array";
    case BTF_KIND_STRUCT: return "struct";
    case BTF_KIND_UNION: return "union";
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64: return "enum";
    case BTF_KIND_FUNC_PROTO: return "function";
    case BTF_KIND_FLOAT: return "float";
    case BTF_KIND_FWD: return "forward";
    default: return "other";
  }
}

bool is_signed(const btf_type* type) {
  if (btf_is_int(type)) return (btf_int_encoding(type) & BTF_INT_SIGNED) != 0;
  return btf_is_any_enum(type) && btf_kflag(type);
}

bool has_size(const btf_type* type) {
  return btf_is_int(type) || btf_is_composite(type) || btf_is_any_enum(type) || btf_is_float(type);
}

std::string_view read_name(const btf* types, uint32_t offset) {
  const char* name = btf__name_by_offset(types, offset);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

const btf_type* find_prototype(const btf* types, uint32_t id) {
  const btf_type* type = btf__type_by_id(types, id);
  return type != nullptr && btf_is_func_proto(type) ? type : nullptr;
}

}  // namespace

TypeDescription describe_type(const btf* types, uint32_t id) {
  TypeDescription description;
  const btf_type* type = btf__type_by_id(types, id);
  bool aliased = false;
  while (type != nullptr && (btf_is_mod(type) || btf_is_typedef(type))) {
    if (btf_is_typedef(type) && !aliased) {
      description.alias = read_name(types, type->name_off);
      aliased = true;
    }
    id = type->type;
    type = btf__type_by_id(types, id);
  }
  if (type == nullptr || id == 0) return description;
  description.id = id;
  description.kind = kind_name(type);
  description.name = read_name(types, type->name_off);
  description.is_signed = is_signed(type);
  if (has_size(type)) description.size = type->size;
  if (btf_is_ptr(type)) {
    description.size = 8;
    description.target = type->type;
  }
  if (btf_is_array(type)) {
    const int64_t bytes = btf__resolve_size(types, id);
    description.size = bytes > 0 ? static_cast<uint32_t>(bytes) : 0;
    description.target = btf_array(type)->type;
  }
  return description;
}

std::vector<NamedType> prototype_params(const btf* types, uint32_t proto) {
  const btf_type* type = find_prototype(types, proto);
  std::vector<NamedType> list;
  if (type == nullptr) return list;
  const btf_param* params = btf_params(type);
  list.reserve(btf_vlen(type));
  for (uint32_t i = 0; i < btf_vlen(type); i++) list.push_back({read_name(types, params[i].name_off), params[i].type});
  return list;
}

std::vector<NamedType> composite_members(const btf* types, uint32_t id) {
  const btf_type* type = btf__type_by_id(types, id);
  std::vector<NamedType> list;
  if (type == nullptr || !btf_is_composite(type)) return list;
  const btf_member* members = btf_members(type);
  list.reserve(btf_vlen(type));
  for (uint32_t i = 0; i < btf_vlen(type); i++) {
    list.push_back({read_name(types, members[i].name_off), members[i].type, btf_member_bit_offset(type, i),
                    btf_member_bitfield_size(type, i)});
  }
  return list;
}

uint32_t function_prototype(const btf* types, uint32_t function) {
  const btf_type* type = function == 0 ? nullptr : btf__type_by_id(types, function);
  return type != nullptr && btf_is_func(type) && find_prototype(types, type->type) != nullptr ? type->type : 0;
}

uint32_t return_type(const btf* types, uint32_t proto) {
  const btf_type* type = find_prototype(types, proto);
  return type == nullptr ? 0 : type->type;
}

std::vector<std::string_view> type_names(const btf* types, uint32_t kind) {
  std::vector<std::string_view> list;
  for (uint32_t id = 1; kind != 0 && id < btf__type_cnt(types); id++) {
    const btf_type* type = btf__type_by_id(types, id);
    if (type != nullptr && btf_kind(type) == kind) list.push_back(read_name(types, type->name_off));
  }
  return list;
}

}  // namespace polytrace
