/** The page: its content security policy matches its content, and no data can become markup. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { inflateRawSync } from 'node:zlib';
import { ReportFile } from '../../../lib/report/file.js';
import { createReportPage } from '../../../lib/report/page.js';

const cspHash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const HOSTILE = '</script><script>alert(1)</script><!--\u2028\u0000\u202e';

describe('the page of a report', () => {
  for (const isLive of [false, true]) {
    it(`allows the script and the style that it has, and nothing else: ${isLive ? 'live' : 'a file'}`, () => {
      const { head, tail, csp } = createReportPage(isLive);
      const page = head + tail;
      const scripts = [...page.matchAll(/<script>([^]*?)<\/script>/g)].map(([, text]) => text ?? '');
      const styles = [...page.matchAll(/<style>([^]*?)<\/style>/g)].map(([, text]) => text ?? '');
      assert.equal(scripts.length, 1);
      assert.equal(styles.length, 1);
      const directives = csp.split('; ');
      assert.equal(directives[0], "default-src 'none'");
      assert.ok(directives.includes(`script-src ${cspHash(scripts[0] ?? '')}`), csp);
      assert.ok(directives.includes(`style-src ${cspHash(styles[0] ?? '')}`), csp);
      assert.equal(
        directives.some((each) => each.startsWith('connect-src')),
        isLive,
      );
      assert.ok(!csp.includes('unsafe'), csp);
      assert.ok(page.includes(`<meta http-equiv="Content-Security-Policy" content="${csp}">`));
      // outside of the script and the style
      const markup = page.replace(/<(script|style)>[^]*?<\/\1>/g, '');
      assert.doesNotMatch(markup, / on[a-z]+=| style=|https?:/);
    });
  }

  it('has the licences of the libraries in it', () => {
    const { tail } = createReportPage(false);
    for (const name of ['uplot', '@tanstack/virtual-core', 'MIT License', 'Permission is hereby granted']) {
      assert.ok(tail.includes(name), name);
    }
  });
});

describe('the file of a report', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-report-'));
    path = join(folder, 'report.html');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('rows are in it as base64, so no text of theirs is markup', async () => {
    const file = new ReportFile(path);
    const rows = `${JSON.stringify({ kind: 'event', detail: HOSTILE })}\n`.repeat(20_000);
    for (let at = 0; at < rows.length; at += 10_001) await file.write(rows.slice(at, at + 10_001));
    await file.finish();
    const text = readFileSync(path, 'utf8');
    const [, packed = ''] = /<script id="rows" type="text\/plain">([^]*?)<\/script>/.exec(text) ?? [];
    assert.match(packed, /^[A-Za-z0-9+/]+=*$/);
    assert.equal(inflateRawSync(Buffer.from(packed, 'base64')).toString(), rows);
    assert.ok(!text.includes('alert(1)'));
  });

  it("is its owner's, and has its name only when it is complete", async () => {
    writeFileSync(path, 'the last report');
    const file = new ReportFile(path);
    await file.write('{}\n');
    assert.equal(readFileSync(path, 'utf8'), 'the last report');
    await file.finish();
    assert.match(readFileSync(path, 'utf8'), /^<!doctype html>/);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ['report.html']);
  });

  it('nothing is left of one that is abandoned, also before it is there', async () => {
    await new ReportFile(path).abandon();
    assert.deepEqual(readdirSync(folder), []);
    const file = new ReportFile(path);
    await file.write('x'.repeat(1_000_000));
    await file.abandon();
    assert.deepEqual(readdirSync(folder), []);
  });

  it('a folder that is missing is an error of the write', async () => {
    const file = new ReportFile(join(folder, 'missing', 'report.html'));
    await assert.rejects(
      async () => {
        for (;;) await file.write('x'.repeat(1_000_000));
      },
      { code: 'ENOENT' },
    );
    await file.abandon();
  });

  it('an output that fails is an error, and the write does not wait for ever', async () => {
    const broken = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('full'), { code: 'ENOSPC' })),
    });
    const file = new ReportFile(broken);
    await assert.rejects(file.finish(), { code: 'ENOSPC' });
  });
});
