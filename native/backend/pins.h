// Pins maps and links in a folder of a BPF file system. They keep a tracer's policies attached after its process has
// died, until the next tracer takes them over.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polytrace {

// Names of pinned maps, and prefixes of the names of pinned links. The addon exports them as `pinNames`.
constexpr const char* PIN_ABOUT = "about";
constexpr const char* PIN_NAMES = "names";
constexpr const char* PIN_EVENTS = "events";
constexpr const char* PIN_COUNTERS = "counters";
constexpr const char* MAP_PINS[] = {PIN_ABOUT, PIN_NAMES, PIN_EVENTS, PIN_COUNTERS};
constexpr const char* SENSOR_PIN = "sensor-";
constexpr const char* HOOK_PIN = "hook-";
constexpr const char* LINK_PINS[] = {SENSOR_PIN, HOOK_PIN};

// The pins of a running tracer. There are none until start() is called.
class Pins {
 public:
  Pins() = default;
  ~Pins();
  Pins(const Pins&) = delete;
  Pins& operator=(const Pins&) = delete;

  // The folder must be empty. start(), pin() and name_hook() return 0 or a negative errno.
  int start(const std::string& folder);
  int pin(int fd, const std::string& name);
  int name_hook(uint32_t id, const std::string& text);
  bool is_active() const { return names_fd_ >= 0; }

  // These two need no memory.
  void unpin(std::string_view name) noexcept;
  void unpin_all() noexcept;

 private:
  std::string folder_;
  std::map<std::string, std::string, std::less<>> pinned_;  // names, with their paths
  int names_fd_ = -1;
};

// The number of records of one hook that were lost or not read.
struct UnreadRecords {
  uint32_t hook = 0;
  uint64_t count = 0;
  std::string name;
};

// The layout hash that the pins of the folder were made with; nothing if the folder has no pins of polytrace.
std::optional<std::string> read_pinned_layout(const std::string& folder);

// Removes these pinned links, and waits until their programs have ended. The tracer that pinned them must be dead.
// Returns nothing if the pins have another layout than this addon's. Throws Failure.
std::optional<std::vector<UnreadRecords>> remove_pins(const std::string& path, const std::vector<std::string>& links);

}  // namespace polytrace
