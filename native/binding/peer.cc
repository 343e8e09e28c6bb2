#include "binding/peer.h"

#include <sys/socket.h>

namespace polytrace {

Napi::Value peer_credentials(const Napi::CallbackInfo& info) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  const int fd = info[0].As<Napi::Number>().Int32Value();
  // the kernel gives process 0 for a socket of another kind
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) return info.Env().Null();
  Napi::Array result = Napi::Array::New(info.Env(), 3);
  result.Set(0u, Napi::Number::New(info.Env(), peer.pid));
  result.Set(1u, Napi::Number::New(info.Env(), peer.uid));
  result.Set(2u, Napi::Number::New(info.Env(), peer.gid));
  return result;
}

}  // namespace polytrace
