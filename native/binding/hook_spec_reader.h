// Reads JavaScript's request for a hook.
#pragma once

#include <napi.h>

#include "hooks/hook_spec.h"

namespace polytrace {

// spec: { id, object, entry: boolean, return: boolean, overrides?: boolean, config: Uint8Array,
//         mechanism, target, group?, path?, offset?: bigint, counter?: bigint, optionalAttachPoints?: boolean,
//         attachPoints?: [{ target, offset?: bigint, counter?: bigint }],
//         code: [{ mark, instructions: Uint8Array }],
//         maps: [{ name, create, sharedWith?: id, keySize, trim, maxEntries, flags, entries: Uint8Array }] }
HookSpec read_hook_spec(const Napi::Object& object);

}  // namespace polytrace
