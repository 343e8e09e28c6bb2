// Pins maps and links in a folder of a BPF file system. They keep a tracer's policies attached after its process has
// died, until the next tracer takes them over.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/handles.h"

namespace polytrace {

// Names of pinned maps, and prefixes of the names of pinned links. The addon exports them as `pinNames`.
constexpr const char* PIN_ABOUT = "about";
constexpr const char* PIN_NAMES = "names";
constexpr const char* PIN_EVENTS = "events";
constexpr const char* PIN_COUNTERS = "counters";
constexpr const char* PIN_PROCESSES = "processes";
// The maps of marks, in the order of MARK_MAPS.
constexpr const char* MARK_PINS[] = {"mark-owners", "mark-details", "mark-names", "mark-none", "mark-words"};
constexpr const char* MAP_PINS[] = {PIN_ABOUT,    PIN_NAMES,    PIN_EVENTS,   PIN_COUNTERS, PIN_PROCESSES,
                                    MARK_PINS[0], MARK_PINS[1], MARK_PINS[2], MARK_PINS[3], MARK_PINS[4]};
constexpr size_t NAME_BYTES_MAX = size_t{256} * 1024;
constexpr const char* SENSOR_PIN = "sensor-";
constexpr const char* HOOK_PIN = "hook-";
constexpr const char* LINK_PINS[] = {SENSOR_PIN, HOOK_PIN};

// The pins of a running tracer. There are none until start() is called.
class Pins {
 public:
  Pins() = default;
  ~Pins() { close(); }
  Pins(const Pins&) = delete;
  Pins& operator=(const Pins&) = delete;

  // The folder must be empty. start(), pin() and name_hook() return 0 or a negative errno.
  int start(const std::string& folder);
  int pin(int fd, const std::string& name);
  // A text of NAME_BYTES_MAX or more bytes is not kept: -E2BIG.
  int name_hook(uint32_t id, const std::string& text);
  // Keeps the bytes in a map.
  int save(std::span<const uint8_t> bytes, const std::string& name);
  bool is_active() const { return names_fd_ >= 0; }

  // These two need no memory.
  void unpin(std::string_view name) noexcept;
  void unpin_all() noexcept;
  // Forgets the pins, which stay.
  void close() noexcept;

 private:
  std::string folder_;
  std::map<std::string, std::string, std::less<>> pinned_;  // names, with their paths
  int names_fd_ = -1;
};

// The ring buffer that a dead tracer has left, with its counters. Its programs may still write to it.
class PinnedRing {
 public:
  // Returns nothing if the folder has no pins, or pins of another layout than this addon's. Throws Failure.
  static std::unique_ptr<PinnedRing> open(const std::string& folder);

  int events_fd() const { return events_.value; }
  // Returns the texts of name_hook() by hook. A text that had no room is missing.
  std::map<uint32_t, std::string> read_names() const;
  // Returns the bytes of save(); nothing if the tracer has not saved any.
  std::vector<uint8_t> read_processes() const;
  // Returns the losses of each hook that the dead tracer has not reported.
  std::vector<std::pair<uint32_t, uint64_t>> read_losses() const;

 private:
  PinnedRing(Fd events, Fd names, Fd processes)
      : events_(std::move(events)), names_(std::move(names)), processes_(std::move(processes)) {}

  Fd events_;
  Fd names_;
  Fd processes_;
  MappedMap counters_;
};

// The layout hash that the pins of the folder were made with; nothing if the folder has no pins of polytrace.
std::optional<std::string> read_pinned_layout(const std::string& folder);

// The maps of marks that a dead tracer has pinned, in the order of MARK_PINS; nothing if there are none, or if they
// have another layout.
std::vector<Fd> open_pinned_marks(const std::string& folder);

// A call whose entry a program has recorded.
struct PendingCall {
  uint32_t hook = 0;
  uint64_t time = 0;  // CLOCK_BOOTTIME of the entry
};

// Removes these pinned links, and waits until their programs have ended. The tracer that pinned them must be dead.
// Returns the calls whose returns will not be seen. Throws Failure.
std::vector<PendingCall> remove_pins(const std::string& path, const std::vector<std::string>& links);

}  // namespace polytrace
