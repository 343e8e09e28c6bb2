#!/usr/bin/env node
// Captures what each tracer prints in a guest with 80 and 160 columns: node bench/trace-captures.mjs [--kernel VERSION].
// Writes docs/samples/trace-NAME-WIDTH.txt.
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkout, runInVm } from '../test/vm/vm.mjs';

const { values } = parseArgs({ options: { kernel: { type: 'string', default: '6.12' } } });
const folder = mkdtempSync(join(tmpdir(), 'polytrace-captures-'));
try {
  const script = 'bash bench/trace-captures.sh /run/vm/captures';
  const { status } = await runInVm({ kernel: values.kernel, script, timeoutMs: 900_000, folder });
  const captures = join(folder, 'captures');
  for (const name of readdirSync(captures)) copyFileSync(join(captures, name), join(checkout, 'docs/samples', name));
  process.exitCode = status;
} finally {
  rmSync(folder, { recursive: true });
}
