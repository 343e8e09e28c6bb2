// Types of a kernel, from its BTF: what the checks of policies need to know of functions and structures.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct btf;

namespace polytrace {

// `new Btf(path, module)`: the BTF of the running kernel when the path is empty, else of that file (raw, or an ELF with
// .BTF); with a module of the running kernel, the module's types as well.
// Types are named by their id, from 1; 0 is void. Nothing of it changes after it was made.
class Btf : public Napi::ObjectWrap<Btf> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Btf(const Napi::CallbackInfo& info);

 private:
  // function(name) -> { params: [{ name, type }], returns } or null
  Napi::Value function(const Napi::CallbackInfo& info);
  // find(name, 'struct' | 'union' | 'typedef') -> id or 0
  Napi::Value find(const Napi::CallbackInfo& info);
  // type(id) -> { id, kind, name, alias, size, signed, target, params? } without qualifiers and typedefs; alias is the outermost typedef
  Napi::Value type(const Napi::CallbackInfo& info);
  // members(id) -> [{ name, type, bitOffset, bitfieldSize }] of a struct or union; bitfieldSize is 0 of a whole member
  Napi::Value members(const Napi::CallbackInfo& info);
  // names('func' | 'struct' | 'typedef') -> every name
  Napi::Value names(const Napi::CallbackInfo& info);

  uint32_t function_id(const std::string& name);

  struct Deleter {
    void operator()(btf* types) const;
  };
  std::unique_ptr<btf, Deleter> base_;  // of types_, which are a module's
  std::unique_ptr<btf, Deleter> types_;
  std::unordered_map<std::string_view, uint32_t> functions_;  // filled when first asked for
};

}  // namespace polytrace
