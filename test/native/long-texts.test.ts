/** Filters on strings and buffers that are longer than the 4,095 bytes that they compare. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { ProcessUprobeEvent, TracerEvent } from '../../types/index.js';
import { duringOf, needsRoot, openTracer, Workshop } from './support.js';

const isUprobe = (event: TracerEvent): event is ProcessUprobeEvent => event.type === 'process_uprobe';
const LENGTH = 5000;

describe('long texts', function () {
  this.timeout(120_000);
  before(needsRoot);
  let shop: Workshop;
  const programs: Record<string, string> = {};

  before(() => {
    shop = new Workshop();
    for (const name of ['places', 'long']) {
      programs[name] = join(shop.folder, name);
      execFileSync('cc', ['-O1', '-o', programs[name], join(__dirname, 'programs', `${name}.c`)]);
    }
  });
  after(() => shop?.remove());

  function policy(name: string, hook: string, selectors: readonly string[]): { yaml: string } {
    return {
      yaml: `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: "${name}" }
spec:
  uprobes:
    - ${hook}
      selectors:
      ${selectors.map((text) => `- ${text}`).join('\n      ')}
`,
    };
  }

  const filter = (operator: string, value: string): string =>
    `matchArgs: [{ index: 0, operator: ${operator}, values: ["${value}"] }]`;
  const NO_POST = '\n        matchActions: [{ action: NoPost }]';

  /** Names of the policies that report the call. */
  async function matching(hook: string, call: readonly [string, ...string[]]): Promise<string[]> {
    const policies = {
      'equal to the part': [filter('Equal', 'a'.repeat(4095))],
      'not equal to the part': [filter('NotEqual', 'a'.repeat(4095))],
      'its beginning': [filter('Prefix', 'aaa')],
      'another beginning': [filter('Prefix', 'b')],
      'its end': [filter('Postfix', '.conf')],
      'another end': [filter('Postfix', '.so')],
      'not its end': [filter('NotPostfix', '.conf')],
      'not another end': [filter('NotPostfix', '.so')],
      'text that it contains': [filter('SubString', 'aaaa')],
      'text that it does not contain': [filter('SubString', 'needle')],
      'suppressed: its end': [`${filter('Postfix', '.conf')}${NO_POST}`, filter('Prefix', 'a')],
      'suppressed: another end': [`${filter('Postfix', '.so')}${NO_POST}`, filter('Prefix', 'a')],
      'suppressed: not its end': [`${filter('NotPostfix', '.conf')}${NO_POST}`, filter('Prefix', 'a')],
      'suppressed: text that it does not contain': [`${filter('SubString', 'needle')}${NO_POST}`, filter('Prefix', 'a')],
    };
    const tracer = await openTracer({
      policies: Object.entries(policies).map(([name, selectors]) => policy(name, hook, selectors)),
    });
    try {
      const [program, ...args] = call;
      const all = await duringOf(tracer, () => assert.equal(spawnSync(programs[program] ?? '', args).status, 0));
      const events = all.filter(isUprobe);
      for (const { args: [arg] } of events) assert.ok(arg !== undefined && 'truncated' in arg && arg.truncated);
      return events.map(({ policyName }) => policyName).sort();
    } finally {
      await tracer.close();
    }
  }

  it('a string: what is not known matches, and exempts nobody', async () => {
    const hook = `path: ${programs['places']}
      symbols: [greet]
      args: [{ index: 0, type: string }]`;
    assert.deepEqual(await matching(hook, ['places', `${'a'.repeat(LENGTH)}.conf`]), [
      'another end',
      'its beginning',
      'its end',
      'not another end',
      'not equal to the part',
      'not its end',
      'suppressed: another end',
      'suppressed: its end',
      'suppressed: not its end',
      'suppressed: text that it does not contain',
      'text that it contains',
      'text that it does not contain',
    ]);
  });

  it('a buffer: its end is compared', async () => {
    const hook = `path: ${programs['long']}
      symbols: [compare]
      args: [{ index: 0, type: char_buf, sizeArgIndex: 3 }]`;
    assert.deepEqual(await matching(hook, ['long', String(LENGTH), '.conf']), [
      'its beginning',
      'its end',
      'not another end',
      'not equal to the part',
      'suppressed: another end',
      'suppressed: not its end',
      'suppressed: text that it does not contain',
      'text that it contains',
    ]);
  });
});
