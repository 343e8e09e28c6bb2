/** examples/service.mjs, the service of docs/embedding.md: it answers, reports its health, and ends on SIGTERM. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { needsRoot } from './requirements.js';

const SERVICE = join(__dirname, '../../examples/service.mjs');

function start(...policies: string[]): { child: ReturnType<typeof spawn>; address: Promise<string> } {
  const child = spawn(process.execPath, [SERVICE, ...policies], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  assert.ok(child.stdout !== null);
  const address = once(createInterface(child.stdout), 'line').then(([line]) => String(line));
  return { child, address };
}

describe('examples/service.mjs', () => {
  before(needsRoot);

  it('counts programs, says that it is healthy, and ends on SIGTERM', async () => {
    const { child, address } = start();
    const url = await address;
    while (!(await fetch(`${url}/healthz`)).ok) await new Promise((resolve) => setImmediate(resolve));
    execFileSync('/bin/true');
    let counts: Record<string, number> = {};
    while (counts['/bin/true'] === undefined) {
      counts = (await (await fetch(`${url}/programs`)).json()) as Record<string, number>;
    }
    child.kill('SIGTERM');
    const [status] = (await once(child, 'exit')) as [number];
    assert.equal(status, 0);
  });

  it('a policy that cannot be loaded ends it with the reason', async () => {
    const { child } = start('/nowhere/policy.yaml');
    let text = '';
    child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number];
    assert.equal(status, 1);
    assert.match(text, /\/nowhere\/policy\.yaml/);
  });
});
