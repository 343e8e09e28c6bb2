/** Finds the process at the other end of a Unix socket. */
import type { PeerCredentials } from '../../types/tracer.js';
import { loadBinding } from './binding.js';

/** Node.js has no public way to the descriptor of a socket. */
interface SocketWithHandle {
  readonly _handle?: { readonly fd?: number } | null;
}

export function peerCredentials(socket: object): PeerCredentials | undefined {
  const fd = (socket as SocketWithHandle)._handle?.fd ?? -1;
  const ids = fd < 0 ? null : loadBinding().peerCredentials(fd);
  if (ids === null) return undefined;
  const [pid, uid, gid] = ids;
  return { pid, uid, gid };
}
