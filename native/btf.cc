#include "btf.h"

#include <bpf/btf.h>

#include <string>
#include <string_view>

#include "error.h"
#include "type_facts.h"

namespace polytrace {

namespace {

// returns 0 where there is no such kind
uint32_t kind_of(const std::string& name) {
  if (name == "func") return BTF_KIND_FUNC;
  if (name == "struct") return BTF_KIND_STRUCT;
  if (name == "union") return BTF_KIND_UNION;
  if (name == "typedef") return BTF_KIND_TYPEDEF;
  return 0;
}

Napi::String text(Napi::Env env, std::string_view name) { return Napi::String::New(env, name.data(), name.size()); }

Napi::Array list_params(Napi::Env env, const btf* types, uint32_t proto) {
  Napi::Array list = Napi::Array::New(env);
  uint32_t length = 0;
  for (const NamedType& each : params_of(types, proto)) {
    Napi::Object param = Napi::Object::New(env);
    param.Set("name", text(env, each.name));
    param.Set("type", Napi::Number::New(env, each.type));
    list.Set(length++, param);
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
                         InstanceMethod<&Btf::call<&Btf::params>>("params"),
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
  const uint32_t proto = prototype_of(own, all.find(string_argument(info, 0), BTF_KIND_FUNC));
  if (proto == 0) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("params", list_params(env, own, proto));
  result.Set("returns", Napi::Number::New(env, result_of(own, proto)));
  return result;
}

Napi::Value Btf::find(const Napi::CallbackInfo& info) {
  const uint32_t kind = kind_of(string_argument(info, 1));
  const uint32_t id = kind == 0 ? 0 : types(info.Env()).find(string_argument(info, 0), kind);
  return Napi::Number::New(info.Env(), id);
}

Napi::Value Btf::type(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const TypeFacts facts = type_facts(types(env).get(), id_argument(info));
  Napi::Object result = Napi::Object::New(env);
  result.Set("id", Napi::Number::New(env, facts.id));
  result.Set("kind", Napi::String::New(env, facts.kind));
  result.Set("name", text(env, facts.name));
  result.Set("alias", text(env, facts.alias));
  result.Set("signed", Napi::Boolean::New(env, facts.is_signed));
  result.Set("size", Napi::Number::New(env, facts.size));
  result.Set("target", Napi::Number::New(env, facts.target));
  return result;
}

Napi::Value Btf::params(const Napi::CallbackInfo& info) {
  return list_params(info.Env(), types(info.Env()).get(), id_argument(info));
}

Napi::Value Btf::members(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array list = Napi::Array::New(env);
  uint32_t length = 0;
  for (const NamedType& each : members_of(types(env).get(), id_argument(info))) {
    Napi::Object member = Napi::Object::New(env);
    member.Set("name", text(env, each.name));
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
  for (const std::string_view name : names_of(types(env).get(), kind_of(string_argument(info, 0)))) {
    list.Set(length++, text(env, name));
  }
  return list;
}

}  // namespace polytrace
