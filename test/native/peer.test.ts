/** The process at the other end of a Unix socket. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerCredentials } from '../../lib/index.js';

describe('the peer of a socket', () => {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-peer-'));
  after(() => rmSync(folder, { recursive: true }));

  it('is the process that connected it', async () => {
    const path = join(folder, 'socket');
    const server = createServer().listen(path);
    await once(server, 'listening');
    const program = `require('node:net').connect(${JSON.stringify(path)}).resume()`;
    const child = spawn(process.execPath, ['-e', program], { stdio: 'inherit' });
    const [socket] = (await once(server, 'connection')) as [Socket];
    const ids = { pid: child.pid, uid: process.getuid?.(), gid: process.getgid?.() };
    assert.deepEqual(peerCredentials(socket), ids);
    const ended = once(child, 'exit');
    socket.end();
    await ended;
    socket.destroy();
    server.close();
  });

  it('is unknown for TCP and for a socket that is closed', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as { port: number }).port, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [Socket];
    assert.equal(peerCredentials(socket), undefined);
    socket.destroy();
    assert.equal(peerCredentials(socket), undefined);
    client.destroy();
    server.close();
  });
});
