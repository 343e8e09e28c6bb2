// The class Btf of the addon: the functions and types of a kernel or of one of its modules. The checks of policies read
// them.
#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "binding/cached_btf.h"
#include "binding/napi_error.h"

namespace polytrace {

// `new Btf(path, module)` reads the BTF of a file: raw BTF, or an ELF file with a .BTF section. When the path is empty,
// it reads that of the running kernel. With the name of a module of the running kernel, it reads the module's types as
// well. A type is identified by its id, from 1; 0 is void. An object never changes.
class Btf : public Napi::ObjectWrap<Btf> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Btf(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env) override { types_.reset(); }

 private:
  template <auto METHOD>
  Napi::Value call(const Napi::CallbackInfo& info) {
    return run_guarded(info.Env(), [&] { return (this->*METHOD)(info); });
  }

  // function(name) -> { params: [{ name, type }], returns } or null
  Napi::Value function(const Napi::CallbackInfo& info);
  // find(name, 'struct' | 'union' | 'typedef') -> id or 0
  Napi::Value find(const Napi::CallbackInfo& info);
  // type(id) -> { id, kind, name, alias, size, signed, target } of the type behind qualifiers and typedefs. `alias` is
  // the outermost typedef.
  Napi::Value type(const Napi::CallbackInfo& info);
  // params(id) -> [{ name, type }] of a prototype; none of another type
  Napi::Value params(const Napi::CallbackInfo& info);
  // members(id) -> [{ name, type, bitOffset, bitfieldSize }] of a struct or union. `bitfieldSize` is 0 when it is no
  // bit field.
  Napi::Value members(const Napi::CallbackInfo& info);
  // names('func' | 'struct' | 'typedef') -> all names of that kind
  Napi::Value names(const Napi::CallbackInfo& info);
  // close() releases the memory. A later call reads the BTF again.
  Napi::Value close(const Napi::CallbackInfo& info);

  BtfTypes& types(Napi::Env env);

  const std::string path_;
  const std::string module_;
  std::unique_ptr<CachedBtf> types_;
};

}  // namespace polytrace
