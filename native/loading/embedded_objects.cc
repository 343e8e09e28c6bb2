#include "loading/embedded_objects.h"

#include "base/abi_types.h"  // the skeletons name its structs

#include "enforcer_fentry_direct.skel.h"
#include "enforcer_fentry_probe.skel.h"
#include "enforcer_kprobe_direct.skel.h"
#include "enforcer_kprobe_probe.skel.h"
#include "fentry_direct.skel.h"
#include "fentry_old.skel.h"
#include "fentry_probe.skel.h"
#include "kprobe_direct.skel.h"
#include "kprobe_old.skel.h"
#include "kprobe_probe.skel.h"
#include "lsm_direct.skel.h"
#include "lsm_old.skel.h"
#include "lsm_probe.skel.h"
#include "process_direct.skel.h"
#include "process_old.skel.h"
#include "process_probe.skel.h"
#include "raw_tracepoint_direct.skel.h"
#include "raw_tracepoint_old.skel.h"
#include "raw_tracepoint_probe.skel.h"
#include "tracepoint_direct.skel.h"
#include "tracepoint_old.skel.h"
#include "tracepoint_probe.skel.h"
#include "uprobe_direct.skel.h"
#include "uprobe_old.skel.h"
#include "uprobe_probe.skel.h"
#include "usdt_direct.skel.h"
#include "usdt_old.skel.h"
#include "usdt_probe.skel.h"

namespace polytrace {

EmbeddedObject find_object(std::string_view name) {
  EmbeddedObject object;
  if (name == "process_direct") object.data = process_direct__elf_bytes(&object.size);
  if (name == "process_probe") object.data = process_probe__elf_bytes(&object.size);
  if (name == "process_old") object.data = process_old__elf_bytes(&object.size);
  if (name == "enforcer_fentry_direct") object.data = enforcer_fentry_direct__elf_bytes(&object.size);
  if (name == "enforcer_fentry_probe") object.data = enforcer_fentry_probe__elf_bytes(&object.size);
  if (name == "enforcer_kprobe_direct") object.data = enforcer_kprobe_direct__elf_bytes(&object.size);
  if (name == "enforcer_kprobe_probe") object.data = enforcer_kprobe_probe__elf_bytes(&object.size);
  if (name == "fentry_direct") object.data = fentry_direct__elf_bytes(&object.size);
  if (name == "fentry_probe") object.data = fentry_probe__elf_bytes(&object.size);
  if (name == "fentry_old") object.data = fentry_old__elf_bytes(&object.size);
  if (name == "kprobe_direct") object.data = kprobe_direct__elf_bytes(&object.size);
  if (name == "kprobe_probe") object.data = kprobe_probe__elf_bytes(&object.size);
  if (name == "kprobe_old") object.data = kprobe_old__elf_bytes(&object.size);
  if (name == "lsm_direct") object.data = lsm_direct__elf_bytes(&object.size);
  if (name == "lsm_probe") object.data = lsm_probe__elf_bytes(&object.size);
  if (name == "lsm_old") object.data = lsm_old__elf_bytes(&object.size);
  if (name == "raw_tracepoint_direct") object.data = raw_tracepoint_direct__elf_bytes(&object.size);
  if (name == "raw_tracepoint_probe") object.data = raw_tracepoint_probe__elf_bytes(&object.size);
  if (name == "raw_tracepoint_old") object.data = raw_tracepoint_old__elf_bytes(&object.size);
  if (name == "tracepoint_direct") object.data = tracepoint_direct__elf_bytes(&object.size);
  if (name == "tracepoint_probe") object.data = tracepoint_probe__elf_bytes(&object.size);
  if (name == "tracepoint_old") object.data = tracepoint_old__elf_bytes(&object.size);
  if (name == "uprobe_direct") object.data = uprobe_direct__elf_bytes(&object.size);
  if (name == "uprobe_probe") object.data = uprobe_probe__elf_bytes(&object.size);
  if (name == "uprobe_old") object.data = uprobe_old__elf_bytes(&object.size);
  if (name == "usdt_direct") object.data = usdt_direct__elf_bytes(&object.size);
  if (name == "usdt_probe") object.data = usdt_probe__elf_bytes(&object.size);
  if (name == "usdt_old") object.data = usdt_old__elf_bytes(&object.size);
  return object;
}

}  // namespace polytrace
