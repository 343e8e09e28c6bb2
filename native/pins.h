// What a tracer leaves pinned in a folder of a BPF file system, so that its policies go on working when it has died; and
// what the next one finds there.
#pragma once

#include <napi.h>

#include <cstdint>
#include <set>
#include <string>

namespace polytrace {

// The pins of a tracer that lives. Not started, it does nothing.
class Pins {
 public:
  Pins() = default;
  ~Pins();
  Pins(const Pins&) = delete;
  Pins& operator=(const Pins&) = delete;

  // In an empty folder. These return 0 or a negative errno.
  int start(const std::string& folder);
  int pin(int fd, const std::string& name);
  int name_hook(uint32_t id, const std::string& text);
  bool active() const { return names_fd_ >= 0; }

  void unpin(const std::string& name);
  void unpin_all();

 private:
  std::string folder_;
  std::set<std::string> pinned_;
  int names_fd_ = -1;
};

// (descriptor of a folder): whether nobody else has locked it. It is locked until the descriptor is closed.
Napi::Value lock_folder(const Napi::CallbackInfo& info);

// (folder): the layout that its pins were made with, or null when it has none of ours.
Napi::Value pinned_layout(const Napi::CallbackInfo& info);

// (folder, [names of links]): unpins these. With the layout that this addon has, returns [hook, records that nobody read or that
// were lost, what the hook is called, …]; may be called only when the tracer that pinned them is dead.
Napi::Value take_pins(const Napi::CallbackInfo& info);

}  // namespace polytrace
