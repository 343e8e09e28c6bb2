/** The virtual machine for the other kernel tests has the requested kernel, with every mechanism to attach hooks. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { preflight, tryTracing } from '../../lib/index.js';
import { NIGHTLY } from '../nightly.js';
import { ROOT } from '../project.js';

describe('the guest', () => {
  it('runs the requested kernel', () => {
    const asked = process.env['POLYTRACE_KERNEL'];
    assert.ok(asked, 'run the kernel tests with test/vm/run-suite.mjs');
    assert.ok(release().startsWith(`${asked}.`), release());
  });

  it('has loaded the addon that is to be tested, and no other', () => {
    preflight();
    const files = readFileSync('/proc/self/maps', 'utf8').match(/\/\S+\/polytrace\.node$/gm) ?? [];
    const tested = process.env['POLYTRACE_TESTED_ADDON'];
    assert.ok(tested, 'run the kernel tests with test/vm/run-suite.mjs');
    assert.deepEqual([...new Set(files)], [join(ROOT, tested)]);
  });

  it('supports every mechanism that policies with kprobes use', () => {
    const report = preflight();
    assert.equal(report.canAttachKprobes, true);
    const missing = report.features.filter(
      (feature) => ['fentry', 'kprobe', 'tp_btf'].includes(feature.name) && !feature.available,
    );
    assert.deepEqual(missing, []);
  });

  // 40 seconds in the guest; the native tier tries what its kernel has
  const nightly = NIGHTLY ? it : undefined;
  nightly?.('runs the base sensor and resolves paths in hooks of each kind', async () => {
    const { canTrace, hooks, problems } = await tryTracing();
    assert.deepEqual(problems, []);
    assert.equal(canTrace, true);
    assert.deepEqual(
      Object.entries(hooks).filter(([, runs]) => !runs),
      [],
    );
  });

  it('has a writable root file system, and writes do not reach the host', () => {
    for (const path of ['/etc/polytrace-test', '/usr/local/bin/polytrace-test', '/polytrace-test']) {
      writeFileSync(path, 'x');
      assert.ok(existsSync(path));
      rmSync(path);
    }
  });
});
