/**
 * Limits the connections of an HTTP server. A connection that waits for nothing gives way to a new one, so that nobody
 * can hold up a scrape or a probe with idle or slow connections.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export interface ConnectionLimits {
  readonly all: number;
  /** Maximum of one address. */
  readonly peer: number;
}

interface Connection {
  readonly socket: Socket;
  readonly peer: string;
  /** Requests that the server has not answered yet. */
  unanswered: number;
}

/** Applies the limits to a server, with or without TLS. */
export function limitConnections(server: Server, { all, peer: peerMax }: ConnectionLimits): void {
  // in the order of their last request, the oldest first
  const connections = new Map<string, Connection>();

  const closeIdle = (isCandidate: (connection: Connection) => boolean): boolean => {
    for (const [key, connection] of connections) {
      if (connection.unanswered > 0 || !isCandidate(connection)) continue;
      connections.delete(key);
      connection.socket.destroy();
      return true;
    }
    return false;
  };

  server.on('connection', (socket: Socket) => {
    const peer = socket.remoteAddress ?? '';
    const counts = countPeers(connections.values());
    const isCrowded = (counts.get(peer) ?? 0) >= peerMax;
    const largest = Math.max(...counts.values());
    const hasRoom = isCrowded
      ? closeIdle((each) => each.peer === peer)
      : connections.size < all || closeIdle((each) => counts.get(each.peer) === largest) || closeIdle(() => true);
    if (!hasRoom) {
      socket.destroy();
      return;
    }
    const key = connectionKey(socket);
    const connection = { socket, peer, unanswered: 0 };
    connections.set(key, connection);
    socket.once('close', () => {
      if (connections.get(key) === connection) connections.delete(key);
    });
  });

  // a client that reads the answer slowly gives way as well
  server.on('request', ({ socket }, response) => {
    const key = connectionKey(socket);
    const connection = connections.get(key);
    if (connection === undefined) return;
    connections.delete(key);
    connections.set(key, connection);
    connection.unanswered += 1;
    const end = (): void => {
      connection.unanswered = Math.max(connection.unanswered - 1, 0);
    };
    response.once('prefinish', end);
    response.once('close', () => response.writableEnded || end());
  });
}

/** Equal for a connection and for the TLS socket over it, which requests have. */
function connectionKey({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function countPeers(connections: Iterable<Connection>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { peer } of connections) counts.set(peer, (counts.get(peer) ?? 0) + 1);
  return counts;
}
