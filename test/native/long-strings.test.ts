/** Filters on strings that are longer than the 4,095 bytes that an event keeps. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isUprobe, needsRoot, traceRun } from './support.js';

const KEPT = 4095;
const filter = (operator: string, value: string): string =>
  `{ matchArgs: [{ index: 0, operator: ${operator}, values: ["${value}"] }] }`;
const suppress = (operator: string, value: string): string =>
  `{ matchArgs: [{ index: 0, operator: ${operator}, values: ["${value}"] }], matchActions: [{ action: NoPost }] }`;

const SELECTORS: Readonly<Record<string, readonly string[]>> = {
  postfix: [filter('Postfix', '.key')],
  'not-postfix': [filter('NotPostfix', '.key')],
  substring: [filter('SubString', '.key')],
  'equal-or-postfix': [filter('Equal', 'short'), filter('Postfix', '.key')],
  prefix: [filter('Prefix', 'xx')],
  'no-prefix': [filter('Prefix', 'y')],
  equal: [filter('Equal', 'short')],
  'unless-postfix': [suppress('Postfix', '.key'), '{}'],
  'unless-substring': [suppress('SubString', '.key'), '{}'],
};

describe('long strings', function () {
  this.timeout(60_000);
  before(needsRoot);
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-strings-'));
  const program = join(folder, 'say');
  before(() => void execFileSync('cc', ['-O1', '-o', program, join(__dirname, 'programs', 'say.c')]));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const policies = Object.entries(SELECTORS).map(([name, selectors]) => ({
    yaml: `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: ${name} }
spec:
  uprobes: [{ path: ${program}, symbols: [say], args: [{ index: 0, type: string }], selectors: [${selectors.join(', ')}] }]`,
  }));

  /** The policies that report the string, and whether the event has only its beginning. */
  async function matchingPolicies(count: number, end: string): Promise<[truncated: boolean[], names: string[]]> {
    const events = (await traceRun(() => execFileSync(program, [String(count), end]), { policies })).filter(isUprobe);
    const flags = new Set(events.flatMap(({ args: [arg] }) => (arg !== undefined && 'truncated' in arg ? [arg.truncated] : [])));
    return [[...flags], events.map(({ policyName }) => policyName).sort()];
  }

  const OTHERS = ['not-postfix', 'prefix', 'unless-postfix', 'unless-substring'];
  const MATCHES = ['equal-or-postfix', 'postfix', 'prefix', 'substring'];
  const UNKNOWN = [...new Set([...OTHERS, ...MATCHES])].sort();

  it('of 4,095 bytes is compared to its end', async () => {
    assert.deepEqual(await matchingPolicies(KEPT - 4, '.key'), [[false], MATCHES]);
    assert.deepEqual(await matchingPolicies(KEPT - 4, '.pub'), [[false], OTHERS]);
  });

  it('that is longer: what cannot be known matches, says `truncated`, and suppresses nothing', async () => {
    assert.deepEqual(await matchingPolicies(KEPT, '.key'), [[true], UNKNOWN]);
    assert.deepEqual(await matchingPolicies(3 * KEPT, '.pub'), [[true], UNKNOWN]);
  });
});
