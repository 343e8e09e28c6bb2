/** The export to a collector whose endpoint is an IP address, over TLS. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createCollector } from '../../collector.js';
import { createCertificates } from '../grpc/server.js';

const SENDER = join(__dirname, '../../../lib/otlp/sender.ts');
/** Node.js warns of each fault once in a process, so each test has its own. */
const CHILD = `
const { openSender } = require(${JSON.stringify(SENDER)});
const [protocol, endpoint, ca] = process.argv.slice(1);
const log = { warn: () => undefined };
openSender({ protocol, endpoint, ca, headers: {}, resource: {}, version: '1', timeoutMs: 5000 }, log).then(async (sender) => {
  const line = JSON.stringify({ process_exec: { process: { binary: '/bin/true' } }, time: '2026-01-01T00:00:00Z' });
  const { kind, reason = '' } = await sender.send([line]);
  console.log(kind, reason.replaceAll('\\n', ' '));
  await sender.close();
});
`;

for (const protocol of ['grpc', 'http/protobuf'] as const) {
  describe(`the export over TLS, ${protocol}, to an IP address`, function () {
    this.timeout(60_000);
    const folder = mkdtempSync(join(tmpdir(), 'polytrace-otlp-'));
    const { ca, cert, key } = createCertificates(folder, 'collector');
    const { ca: otherCa } = createCertificates(folder, 'other');
    const tls = { cert: readFileSync(cert), key: readFileSync(key) };
    after(() => rmSync(folder, { recursive: true }));

    async function send(authority: string, change: (url: string) => string = (url) => url): Promise<string[]> {
      const collector = createCollector(protocol, tls);
      await collector.start();
      try {
        const args = ['--require', 'tsx/cjs', '-e', CHILD, protocol, change(collector.url), authority];
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        const output = Promise.all([text(child.stdout), text(child.stderr)]);
        await once(child, 'close');
        return [...(await output), String(collector.records.length)];
      } finally {
        await collector.kill();
      }
    }

    it('sends without a warning', async () => {
      assert.deepEqual(await send(ca), ['sent \n', '', '1']);
    });

    it('sends nothing to a collector whose certificate another authority has signed, or for another address', async () => {
      const assertRefused = ([stdout, ...rest]: readonly string[], reason: RegExp): void => {
        assert.match(String(stdout), reason);
        assert.deepEqual(rest, ['', '0']);
      };
      assertRefused(await send(otherCa), /^failed .*(certificate|signature)/);
      const toOther = (url: string): string => url.replace('127.0.0.1', '127.0.0.2');
      assertRefused(await send(ca, toOther), /^failed .*IP: 127\.0\.0\.2 is not in the cert's list/);
    });
  });
}
