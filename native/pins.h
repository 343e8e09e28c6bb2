// Pins in a folder of a BPF file system. They keep a tracer's policies working when its process has died, and the next tracer
// finds them there.
#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polytrace {

// Names of pins: of maps, and the starts of the names of links. The addon exports them as `pinNames`.
constexpr const char* PIN_ABOUT = "about";
constexpr const char* PIN_NAMES = "names";
constexpr const char* PIN_EVENTS = "events";
constexpr const char* PIN_COUNTERS = "counters";
constexpr const char* MAP_PINS[] = {PIN_ABOUT, PIN_NAMES, PIN_EVENTS, PIN_COUNTERS};
constexpr const char* SENSOR_PIN = "sensor-";
constexpr const char* HOOK_PIN = "hook-";
constexpr const char* LINK_PINS[] = {SENSOR_PIN, HOOK_PIN};

// The pins of a running tracer. It does nothing until start().
class Pins {
 public:
  Pins() = default;
  ~Pins();
  Pins(const Pins&) = delete;
  Pins& operator=(const Pins&) = delete;

  // The folder must be empty. Like the next two, it returns 0 or a negative errno.
  int start(const std::string& folder);
  int pin(int fd, const std::string& name);
  int name_hook(uint32_t id, const std::string& text);
  bool active() const { return names_fd_ >= 0; }

  // These two need no memory.
  void unpin(std::string_view name) noexcept;
  void unpin_all() noexcept;

 private:
  std::string folder_;
  std::map<std::string, std::string, std::less<>> pinned_;  // names, with their paths
  int names_fd_ = -1;
};

// { maps, links }: the names above
Napi::Object pin_names(Napi::Env env);

// (descriptor of a folder) -> false when another process has locked it. Else it is locked until the descriptor is closed.
Napi::Value lock_folder(const Napi::CallbackInfo& info);

// (folder) -> the layout that its pins were made with, or null when it has no pins of ours
Napi::Value pinned_layout(const Napi::CallbackInfo& info);

// Records of one hook that were lost or that nobody read.
struct UnreadPin {
  uint32_t hook = 0;
  uint64_t count = 0;
  std::string name;
};

// Removes these pins of links, and waits until their programs have ended. The tracer that pinned them must be dead. Returns nothing
// when the pins have another layout than this addon's. Throws Failure.
std::optional<std::vector<UnreadPin>> take_pins(const std::string& folder, const std::vector<std::string>& links);

// [hook, count, name, …], or null
Napi::Value to_array(Napi::Env env, const std::optional<std::vector<UnreadPin>>& unread);

}  // namespace polytrace
