#include "binding/btf.h"

#include <bpf/btf.h>

#include <string>
#include <string_view>

#include "btf/type_description.h"

namespace polytrace {

namespace {

// Returns 0 for a kind that is not known.
uint32_t parse_kind(const std::string& name) {
  if (name == "func") return BTF_KIND_FUNC;
  if (name == "struct") return BTF_KIND_STRUCT;
  if (name == "union") return BTF_KIND_UNION;
  if (name == "typedef") return BTF_KIND_TYPEDEF;
  return 0;
}

Napi::String to_string(Napi::Env env, std::string_view name) {
  return Napi::String::New(env, name.data(), name.size());
}

Napi::Array list_params(Napi::Env env, const btf* types, uint32_t proto) {
  Napi::Array list = Napi::Array::New(env);
  uint32_t length = 0;
  for (const NamedType& each : prototype_params(types, proto)) {
    Napi::Object param = Napi::Object::New(env);
    param.Set("name", to_string(env, each.name));
    param.Set("type", Napi::Number::New(env, each.type));
    list.Set(length++, param);
  }
  return list;
}

std::string optional_string_argument(const Napi::CallbackInfo& info, size_t index) {
  return info.Length() > index && info[index].IsString() ? info[index].As<Napi::String>().Utf8Value() : std::string();
}

uint32_t type_id_argument(const Napi::CallbackInfo& info) {
  return info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().Uint32Value() : 0;
}

}  // namespace

Napi::Function Btf::define(Napi::Env env) {
  return DefineClass(env, "Btf",
                     {
                         InstanceMethod<&Btf::call<&Btf::function>>("function"),
                         InstanceMethod<&Btf::call<&Btf::find>>("find"),
                         InstanceMethod<&Btf::call<&Btf::type>>("type"),
                         InstanceMethod<&Btf::call<&Btf::params>>("params"),
                         InstanceMethod<&Btf::call<&Btf::members>>("members"),
                         InstanceMethod<&Btf::call<&Btf::names>>("names"),
                         InstanceMethod<&Btf::call<&Btf::close>>("close"),
                     });
}

Btf::Btf(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Btf>(info),
      path_(optional_string_argument(info, 0)),
      module_(optional_string_argument(info, 1)) {
  run_guarded(info.Env(), [&] {
    types(info.Env());
    return Napi::Value();
  });
}

BtfTypes& Btf::types(Napi::Env env) {
  if (!types_) {
    types_ = std::make_unique<CachedBtf>(env, !module_.empty() ? BtfTypes::load_module(module_)
                                              : path_.empty()  ? BtfTypes::load_kernel()
                                                               : BtfTypes::load_file(path_));
  }
  return types_->get();
}

Napi::Value Btf::close(const Napi::CallbackInfo& info) {
  types_.reset();
  return info.Env().Undefined();
}

Napi::Value Btf::function(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  BtfTypes& all = types(env);
  const btf* own = all.get();
  const uint32_t proto = function_prototype(own, all.find(optional_string_argument(info, 0), BTF_KIND_FUNC));
  if (proto == 0) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("params", list_params(env, own, proto));
  result.Set("returns", Napi::Number::New(env, return_type(own, proto)));
  return result;
}

Napi::Value Btf::find(const Napi::CallbackInfo& info) {
  const uint32_t kind = parse_kind(optional_string_argument(info, 1));
  const uint32_t id = kind == 0 ? 0 : types(info.Env()).find(optional_string_argument(info, 0), kind);
  return Napi::Number::New(info.Env(), id);
}

Napi::Value Btf::type(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const TypeDescription description = describe_type(types(env).get(), type_id_argument(info));
  Napi::Object result = Napi::Object::New(env);
  result.Set("id", Napi::Number::New(env, description.id));
  result.Set("kind", Napi::String::New(env, description.kind));
  result.Set("name", to_string(env, description.name));
  result.Set("alias", to_string(env, description.alias));
  result.Set("signed", Napi::Boolean::New(env, description.is_signed));
  result.Set("size", Napi::Number::New(env, description.size));
  result.Set("target", Napi::Number::New(env, description.target));
  return result;
}

Napi::Value Btf::params(const Napi::CallbackInfo& info) {
  return list_params(info.Env(), types(info.Env()).get(), type_id_argument(info));
}

Napi::Value Btf::members(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array list = Napi::Array::New(env);
  uint32_t length = 0;
  for (const NamedType& each : composite_members(types(env).get(), type_id_argument(info))) {
    Napi::Object member = Napi::Object::New(env);
    member.Set("name", to_string(env, each.name));
    member.Set("type", Napi::Number::New(env, each.type));
    member.Set("bitOffset", Napi::Number::New(env, each.bit_offset));
    member.Set("bitfieldSize", Napi::Number::New(env, each.bitfield_size));
    list.Set(length++, member);
  }
  return list;
}

Napi::Value Btf::names(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array list = Napi::Array::New(env);
  uint32_t length = 0;
  for (const std::string_view name : type_names(types(env).get(), parse_kind(optional_string_argument(info, 0)))) {
    list.Set(length++, to_string(env, name));
  }
  return list;
}

}  // namespace polytrace
