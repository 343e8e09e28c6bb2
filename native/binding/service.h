// Messages to the service manager that started this process: the protocol of systemd's sd_notify(3).
#pragma once

#include <napi.h>

namespace polytrace {

// Gets the address (a path, or @NAME for an abstract socket) and the text. Returns true when the message is sent; it
// never waits.
Napi::Value notify_service(const Napi::CallbackInfo& info);

}  // namespace polytrace
