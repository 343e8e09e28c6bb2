#include "binding/service.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "base/handles.h"

namespace polytrace {
namespace {

// Sends a datagram to a Unix socket. Returns 0, or the number of the error.
int send_to_socket(const std::string& name, const void* bytes, size_t count) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (name.size() < 2 || name.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());

  const Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.value < 0) return errno;
  const ssize_t sent = sendto(fd.value, bytes, count, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  if (sent < 0) return errno;
  return sent == static_cast<ssize_t>(count) ? 0 : EMSGSIZE;
}

}  // namespace

Napi::Value notify_service(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  const std::string text = info[1].As<Napi::String>().Utf8Value();
  return Napi::Boolean::New(info.Env(), send_to_socket(name, text.data(), text.size()) == 0);
}

Napi::Value send_datagram(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  const auto bytes = info[1].As<Napi::Uint8Array>();
  return Napi::Number::New(info.Env(), send_to_socket(name, bytes.Data(), bytes.ByteLength()));
}

}  // namespace polytrace
