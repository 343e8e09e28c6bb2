/** Filters on paths that are longer than the 4,095 bytes that an event keeps. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';

import { collectEvents, isTracepoint, needsRoot, openTracer, Workshop } from './support.js';

const CALL = `subsystem: raw_syscalls
      event: sys_enter
      raw: true
      args: [{ index: 1, type: syscall64 }]`;
const EXEC = `subsystem: sched
      event: sched_process_exec
      raw: true
      args: [{ index: 2, type: linux_binprm }]`;

const KCMP = 'matchArgs: [{ args: [0], operator: InMap, values: [sys_kcmp] }]\n        ';
const binaryHook = (operator: string, value: string): Hook => [
  CALL,
  `${KCMP}matchBinaries: [{ operator: ${operator}, values: ["${value}"] }]`,
];
const fileHook = (operator: string, value: string): Hook => [
  EXEC,
  `matchArgs: [{ args: [0], operator: ${operator}, values: ["${value}"] }]`,
];

/** Levels that the walk up a path does not follow to their end. */
const ENDLESS = 15_000;

type Hook = readonly [hook: string, ...selectors: string[]];

function tracepointPolicy(name: string, [hook, ...selectors]: Hook): { yaml: string } {
  return {
    yaml: `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: "${name}" }
spec:
  tracepoints:
    - ${hook}
      selectors:
      ${selectors.map((text) => `- ${text}`).join('\n      ')}
`,
  };
}

describe('long paths', function () {
  this.timeout(120_000);
  before(needsRoot);
  let shop: Workshop;
  let trees: string;
  let program: string;

  before(() => {
    shop = new Workshop();
    // deep trees are removed fast by unmounting them
    trees = join(shop.folder, 'trees');
    mkdirSync(trees);
    execFileSync('mount', ['-t', 'tmpfs', 'none', trees]);
    program = join(trees, 'program');
    execFileSync('cc', ['-O1', '-static', '-o', program, join(__dirname, 'programs', 'identity.c')]);
  });
  after(() => {
    if (shop === undefined) return;
    execFileSync('umount', ['-l', trees]);
    shop.remove();
  });

  /** Executes a program `levels` folders below a folder. Returns the names of the policies that match. */
  async function matchingPolicies(
    part: string,
    levels: number,
    hooks: (folder: string) => Readonly<Record<string, Hook>>,
  ): Promise<string[]> {
    const folder = mkdtempSync(join(trees, 't'));
    const run = (): void => {
      const { status } = spawnSync(program, ['deep', folder, part, String(levels), program, 'call']);
      assert.equal(status, 0);
    };
    run();
    const policies = Object.entries(hooks(folder)).map(([name, hook]) => tracepointPolicy(name, hook));
    const tracer = await openTracer({ policies });
    try {
      const all = (await collectEvents(tracer, run)).filter(isTracepoint);
      const events = all.filter(({ args: [arg] }) => arg === undefined || !('path' in arg) || arg.path.endsWith('/leaf'));
      for (const { args: [arg] } of events) {
        if (arg !== undefined && 'path' in arg) assert.deepEqual(arg.flags, ['truncated']);
      }
      return events.map(({ policyName }) => policyName).sort();
    } finally {
      await tracer.close();
    }
  }

  const TREES: readonly (readonly [title: string, part: string, levels: number])[] = [
    ['20 names of 250 bytes', 'n'.repeat(250), 20],
    ['3,000 names of one byte', 'a', 3000],
    ['9,000 names of one byte', 'b', 9000],
  ];
  for (const [title, part, levels] of TREES) {
    it(`${title}: matchBinaries`, async () => {
      const names = await matchingPolicies(part, levels, (folder) => ({
        prefix: binaryHook('Prefix', `${folder}/${part.slice(0, 100)}`),
        'other-prefix': binaryHook('Prefix', `${folder}/other/`),
        'no-prefix': binaryHook('Prefix', '/usr/'),
        postfix: binaryHook('Postfix', `${part.slice(0, 100)}/leaf`),
        'no-postfix': binaryHook('Postfix', '/other'),
        equal: binaryHook('In', `${folder}/leaf`),
        'not-prefix': binaryHook('NotPrefix', `${folder}/`),
        'not-other-prefix': binaryHook('NotPrefix', '/usr/'),
      }));
      assert.deepEqual(names, ['not-other-prefix', 'postfix', 'prefix']);
    });

    it(`${title}: matchArgs`, async () => {
      const names = await matchingPolicies(part, levels, (folder) => ({
        prefix: fileHook('Prefix', `${folder}/${part.slice(0, 100)}`),
        'other-prefix': fileHook('Prefix', `${folder}/other/`),
        'not-prefix': fileHook('NotPrefix', `${folder}/`),
        postfix: fileHook('Postfix', `${part.slice(0, 100)}/leaf`),
        equal: fileHook('Equal', `${folder}/leaf`),
        // it may be in the part that is not kept
        substring: fileHook('SubString', 'trees/t'),
      }));
      assert.deepEqual(names, ['postfix', 'prefix', 'substring']);
    });
  }

  it(`${ENDLESS} names: what is not known matches, and exempts nobody`, async () => {
    const noPost = (folder: string): string =>
      `matchArgs: [{ args: [0], operator: Prefix, values: ["${folder}/"] }]\n        matchActions: [{ action: NoPost }]`;
    const names = await matchingPolicies('c', ENDLESS, (folder) => ({
      'binary-prefix': binaryHook('Prefix', '/nowhere/'),
      'binary-not-prefix': binaryHook('NotPrefix', `${folder}/`),
      'binary-equal': binaryHook('In', '/nowhere'),
      prefix: fileHook('Prefix', '/nowhere/'),
      postfix: fileHook('Postfix', '/c/leaf'),
      'no-post': [EXEC, noPost(folder), 'matchArgs: [{ args: [0], operator: Postfix, values: ["/leaf"] }]'],
    }));
    assert.deepEqual(names, ['binary-not-prefix', 'binary-prefix', 'no-post', 'postfix', 'prefix']);
  });
});
