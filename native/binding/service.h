// Datagrams to Unix sockets, which Node.js cannot send: those of a service manager (sd_notify(3)), syslog and journald.
#pragma once

#include <napi.h>

namespace polytrace {

// Gets the address (a path, or @NAME for an abstract socket) and the text. Returns true when the message is sent; it
// never waits.
Napi::Value notify_service(const Napi::CallbackInfo& info);

// Gets the address in the same form, and a Uint8Array. Returns 0 when the datagram is sent, else the number of the
// error; it never waits.
Napi::Value send_datagram(const Napi::CallbackInfo& info);

}  // namespace polytrace
