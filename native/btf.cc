#include "btf.h"

#include <bpf/btf.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "error.h"

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

// returns 0 where there is no such kind
uint32_t kind_of(const std::string& name) {
  if (name == "func") return BTF_KIND_FUNC;
  if (name == "struct") return BTF_KIND_STRUCT;
  if (name == "union") return BTF_KIND_UNION;
  if (name == "typedef") return BTF_KIND_TYPEDEF;
  return 0;
}

bool is_signed(const btf_type* type) {
  if (btf_is_int(type)) return (btf_int_encoding(type) & BTF_INT_SIGNED) != 0;
  return btf_is_any_enum(type) && btf_kflag(type);
}

bool has_size(const btf_type* type) {
  return btf_is_int(type) || btf_is_composite(type) || btf_is_any_enum(type) || btf_is_float(type);
}

Napi::String text(Napi::Env env, const btf* types, uint32_t offset) {
  const char* name = btf__name_by_offset(types, offset);
  return Napi::String::New(env, name == nullptr ? "" : name);
}

// Lists the parameters of a function prototype.
Napi::Array list_params(Napi::Env env, const btf* types, const btf_type* proto) {
  const btf_param* params = btf_params(proto);
  Napi::Array list = Napi::Array::New(env, btf_vlen(proto));
  for (uint32_t i = 0; i < btf_vlen(proto); i++) {
    Napi::Object param = Napi::Object::New(env);
    param.Set("name", text(env, types, params[i].name_off));
    param.Set("type", Napi::Number::New(env, params[i].type));
    list.Set(i, param);
  }
  return list;
}

std::string string_argument(const Napi::CallbackInfo& info, size_t index) {
  return info.Length() > index && info[index].IsString() ? info[index].As<Napi::String>().Utf8Value() : std::string();
}

uint32_t id_argument(const Napi::CallbackInfo& info) {
  return info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().Uint32Value() : 0;
}

}  // namespace

Napi::Function Btf::define(Napi::Env env) {
  return DefineClass(env, "Btf",
                     {
                         InstanceMethod<&Btf::call<&Btf::function>>("function"),
                         InstanceMethod<&Btf::call<&Btf::find>>("find"),
                         InstanceMethod<&Btf::call<&Btf::type>>("type"),
                         InstanceMethod<&Btf::call<&Btf::members>>("members"),
                         InstanceMethod<&Btf::call<&Btf::names>>("names"),
                         InstanceMethod<&Btf::call<&Btf::close>>("close"),
                     });
}

Btf::Btf(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Btf>(info), path_(string_argument(info, 0)), module_(string_argument(info, 1)) {
  guarded(info.Env(), [&] {
    types(info.Env());
    return Napi::Value();
  });
}

Types& Btf::types(Napi::Env env) {
  if (!types_) {
    types_ = std::make_unique<HeldTypes>(
        env, !module_.empty() ? Types::of_module(module_) : path_.empty() ? Types::of_kernel() : Types::of_file(path_));
  }
  return types_->get();
}

Napi::Value Btf::close(const Napi::CallbackInfo& info) {
  types_.reset();
  return info.Env().Undefined();
}

Napi::Value Btf::function(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Types& all = types(env);
  const btf* own = all.get();
  const uint32_t id = all.find(string_argument(info, 0), BTF_KIND_FUNC);
  if (id == 0) return env.Null();
  const btf_type* func = btf__type_by_id(own, id);
  const btf_type* proto = func == nullptr ? nullptr : btf__type_by_id(own, func->type);
  if (proto == nullptr || !btf_is_func_proto(proto)) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("params", list_params(env, own, proto));
  result.Set("returns", Napi::Number::New(env, proto->type));
  return result;
}

Napi::Value Btf::find(const Napi::CallbackInfo& info) {
  const uint32_t kind = kind_of(string_argument(info, 1));
  const uint32_t id = kind == 0 ? 0 : types(info.Env()).find(string_argument(info, 0), kind);
  return Napi::Number::New(info.Env(), id);
}

Napi::Value Btf::type(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const btf* own = types(env).get();
  uint32_t id = id_argument(info);
  Napi::Object result = Napi::Object::New(env);
  result.Set("alias", Napi::String::New(env, ""));
  const btf_type* type = btf__type_by_id(own, id);
  bool aliased = false;
  while (type != nullptr && (btf_is_mod(type) || btf_is_typedef(type))) {
    if (btf_is_typedef(type) && !aliased) {
      result.Set("alias", text(env, own, type->name_off));
      aliased = true;
    }
    id = type->type;
    type = btf__type_by_id(own, id);
  }
  const bool is_void = type == nullptr || id == 0;
  result.Set("id", Napi::Number::New(env, is_void ? 0 : id));
  result.Set("kind", Napi::String::New(env, is_void ? "void" : kind_name(type)));
  result.Set("name", is_void ? Napi::String::New(env, "void") : text(env, own, type->name_off));
  result.Set("signed", Napi::Boolean::New(env, !is_void && is_signed(type)));
  uint32_t size = 0;
  uint32_t target = 0;
  if (!is_void) {
    if (has_size(type)) size = type->size;
    if (btf_is_ptr(type)) {
      size = 8;
      target = type->type;
    }
    if (btf_is_array(type)) {
      const int64_t bytes = btf__resolve_size(own, id);
      size = bytes > 0 ? static_cast<uint32_t>(bytes) : 0;
      target = btf_array(type)->type;
    }
    if (btf_is_func_proto(type)) result.Set("params", list_params(env, own, type));
  }
  result.Set("size", Napi::Number::New(env, size));
  result.Set("target", Napi::Number::New(env, target));
  return result;
}

Napi::Value Btf::members(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const btf* own = types(env).get();
  const btf_type* type = btf__type_by_id(own, id_argument(info));
  if (type == nullptr || !btf_is_composite(type)) return Napi::Array::New(env);
  const btf_member* members = btf_members(type);
  Napi::Array list = Napi::Array::New(env, btf_vlen(type));
  for (uint32_t i = 0; i < btf_vlen(type); i++) {
    Napi::Object member = Napi::Object::New(env);
    member.Set("name", text(env, own, members[i].name_off));
    member.Set("type", Napi::Number::New(env, members[i].type));
    member.Set("bitOffset", Napi::Number::New(env, btf_member_bit_offset(type, i)));
    member.Set("bitfieldSize", Napi::Number::New(env, btf_member_bitfield_size(type, i)));
    list.Set(i, member);
  }
  return list;
}

Napi::Value Btf::names(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const btf* own = types(env).get();
  const uint32_t kind = kind_of(string_argument(info, 0));
  Napi::Array list = Napi::Array::New(env);
  uint32_t length = 0;
  for (uint32_t id = 1; kind != 0 && id < btf__type_cnt(own); id++) {
    const btf_type* type = btf__type_by_id(own, id);
    if (type != nullptr && btf_kind(type) == kind) list.Set(length++, text(env, own, type->name_off));
  }
  return list;
}

}  // namespace polytrace
