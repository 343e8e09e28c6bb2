/**
 * The mistakes of the first hour, as strangers made them: first-mistakes.txt has each as a change of one policy, and
 * everything that `validate` prints about it. Each output names the place, the mistake and the cure.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostFiles } from '../../../lib/elf/elf-info.js';
import { formatDiagnostic } from '../../../lib/errors.js';
import { validatePolicy } from '../../../lib/policy/index.js';
import type { FunctionInfo, KernelInfo, ParameterInfo, TypeInfo } from '../../../types/kernel.js';
import { fakeKernel } from './fake-kernel.js';

/** A machine with a script, and with a link. */
const files: HostFiles = {
  realpath: (path) => (path === '/bin/sh' ? '/usr/bin/dash' : path === '/bin/bash' ? '/usr/bin/bash' : path),
  interpreter: (path) => (path === '/usr/bin/ldd' ? '/bin/bash' : undefined),
  readElf: () => ({ symbols: new Map([['readline', 1n]]), probes: new Map(), segments: [] }),
};

/** `tcp_connect(struct sock *, int)`, which the fake kernel does not have. */
const connect = (): FunctionInfo => {
  const prototype = fakeKernel.function('security_file_permission') as FunctionInfo;
  const [file, mask] = prototype.params as [ParameterInfo, ParameterInfo];
  const sock: TypeInfo = { ...(file.type.target() as TypeInfo), name: 'sock' };
  return { ...prototype, params: [{ name: 'sk', type: { ...file.type, target: () => sock } }, mask] };
};
const kernel: KernelInfo = {
  ...fakeKernel,
  function: (name) => (name === 'tcp_connect' ? connect() : fakeKernel.function(name)),
};

interface Mistake {
  readonly name: string;
  readonly change: string;
  readonly output: string;
}

const [base = '', ...sections] = readFileSync(join(__dirname, 'first-mistakes.txt'), 'utf8').split(/^# (?=.*\n@@)/m);
const policy = base.split('\n').filter((line) => !line.startsWith('#'));
const mistakes = sections.map((section): Mistake => {
  const [name = ''] = section.split('\n', 1);
  const [change = '', output = ''] = section.slice(name.length + 1).split(/^=>\n/m);
  return { name, change, output: output.trimEnd() };
});

/** Applies a change in the format of diff, without lines around it. */
function applyChange(change: string): string {
  const lines = [...policy];
  const hunks = [...change.matchAll(/^@@ -(\d+)(?:,(\d+))? \+\S+ @@\n((?:[-+].*\n)*)/gm)].reverse();
  for (const [, from = '', count = '1', body = ''] of hunks) {
    const removed = body.split('\n').filter((line) => line.startsWith('-'));
    const added = body.split('\n').filter((line) => line.startsWith('+'));
    const start = Number(count) === 0 ? Number(from) : Number(from) - 1;
    const taken = lines.splice(start, Number(count), ...added.map((line) => line.slice(1)));
    assert.deepEqual(
      taken,
      removed.map((line) => line.slice(1)),
    );
  }
  return lines.join('\n');
}

/** A policy without errors of its own is also checked against a kernel. */
function validate(yaml: string): string {
  const found = validatePolicy(yaml, { file: 'policy.yaml', files });
  const hasErrors = found.some(({ severity }) => severity === 'error');
  const all = hasErrors ? found : validatePolicy(yaml, { file: 'policy.yaml', files, kernel });
  return all.map(formatDiagnostic).join('\n');
}

describe('policy: mistakes of strangers', () => {
  it('begin with a policy without any', () => {
    assert.equal(validate(policy.join('\n')), '');
  });

  it('are 62', () => {
    assert.equal(new Set(mistakes.map(({ name }) => name)).size, 62);
  });

  for (const { name, change, output } of mistakes) {
    it(name, () => {
      assert.equal(validate(applyChange(change)), output);
      // Each message has its cure.
      const messages = output.split('\n').filter((line) => line.startsWith('policy.yaml:')).length;
      assert.equal(output.split('\n').filter((line) => line.startsWith('    hint: ')).length, messages);
    });
  }
});
