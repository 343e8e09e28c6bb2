import assert from 'node:assert/strict';
import { diffLines } from 'polytrace/protocol';
import { formatNodes, formatPolicies, formatStatus, formatTop } from '../../../lib/fleet/commands/tables.js';
import type { NodeReport, PolicyReport } from '../../../lib/fleet/nodes/report.js';
import { makePlan } from '../../../lib/fleet/policies/plan.js';
import type { Gate, PolicyRecord } from '../../../lib/fleet/policies/records.js';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const loaded: PolicyReport = { wanted: 2, loaded: 2, events: 7, enforced: 1, lost: 0, rate: 3, mode: 'enforce' };

const report = (node: string, more: Partial<NodeReport> = {}): NodeReport => ({
  ...{ cluster: 'c', node, version: '1.2.3', kernel: '6.12.0', arch: 'x64', features: ['lsm'], load: [0.5, 0, 0] },
  labels: { 'polytrace.io/node': node, role: 'web' },
  ...{ startedAt: '', time: '2026-01-01T00:09:50Z', events: 100, rate: 10, lost: 0, sequence: 1, isController: false },
  ...{ policies: { p: loaded }, refused: [] },
  ...more,
});

const record = (more: Partial<PolicyRecord> = {}): PolicyRecord =>
  ({
    ...{
      cluster: 'c',
      name: 'p',
      version: 2,
      content: '',
      file: 'p.yaml',
      mode: undefined,
      nodes: '',
      isDeleted: false,
    },
    created: '2026-01-01T00:00:00Z',
    plan: makePlan(['a', 'b', 'c'], { percents: [30, 100], waitMs: 0 }),
    ...more,
  }) as PolicyRecord;
const gate = (more: Partial<Gate>): Gate => ({
  ...{ cluster: 'c', name: 'p', version: 2, stage: 0, state: 'running', reason: '', created: '' },
  ...more,
});

describe('tables of a fleet', () => {
  it('policies, with what their rollouts do', () => {
    const rollout = (each: Gate | undefined, more: Partial<PolicyRecord> = {}): string =>
      formatPolicies([{ record: record(more), gate: each }], NOW)
        .trimEnd()
        .split('\n')
        .at(-1) ?? '';
    assert.match(rollout(undefined), /^p +2 +- +all +10m +p\.yaml +running at 30%$/);
    assert.match(rollout(gate({ stage: 1 })), /running at 100%$/);
    assert.match(rollout(gate({ stage: 1, state: 'complete' })), /complete$/);
    assert.match(rollout(gate({ state: 'stopped', reason: 'a kills' })), /stopped at 30%: a kills$/);
    // a gate of the version before says nothing
    assert.match(rollout(gate({ version: 1, state: 'stopped' })), /running at 30%$/);
    assert.match(rollout(undefined, { isDeleted: true }), /deleted$/);
    assert.match(rollout(undefined, { nodes: 'role=web', mode: 'monitor' }), /monitor +role=web/);
  });

  it('the status of each node, and what it refuses, without control characters', () => {
    const failed = { ...loaded, loaded: 1, error: 'p.yaml@2:5:1: no\u001b[2Jhook\nx' };
    const refused = [{ code: 'FLEET_OLDER', place: 'head', message: 'older', count: 3 }] as NodeReport['refused'];
    const nodes = [report('a'), report('b', { policies: { p: failed, other: loaded }, refused })];
    const text = formatStatus([{ record: record(), gate: undefined }], nodes, NOW);
    assert.match(text, /^a +p +2 +2 +enforce +7 +3 +1 +0/m);
    assert.match(text, /^b +p +2 +1 .*p\.yaml@2:5:1: no\\u\{1b\}\[2Jhook x$/m);
    assert.match(text, /^b +FLEET_OLDER +3 +head +older$/m);
    assert.doesNotMatch(text, /other|\u001b/);
  });

  it('nodes, with the labels that somebody has given them', () => {
    const text = formatNodes([report('a', { lastEvent: '2026-01-01T00:09:59Z' }), report('b', { labels: {} })], NOW);
    assert.match(text, /^a +6\.12\.0 +1\.2\.3 +0\.50 +10 +0 +1s +10s +lsm +role=web$/m);
    assert.match(text, /^b .* - +10s +lsm +-$/m);
  });

  it('top: the busiest nodes first, with their busiest policies', () => {
    const busy = { p: loaded, q: { ...loaded, rate: 80 }, r: { ...loaded, rate: 0, error: 'no hook' } };
    const many = Array.from({ length: 40 }, (_, i) =>
      report(`n${i}`, { rate: i, lost: 1, policies: i === 39 ? busy : {} }),
    );
    const lines = formatTop(many, NOW).trimEnd().split('\n');
    assert.equal(lines[0], '40 nodes, 780 events a second, 40 lost');
    assert.match(lines[2] ?? '', /^n39 +39 +100 +1 +0\.50 +3 +1 +q \(80\) +10s$/);
    assert.match(lines[3] ?? '', /^n38 .* 0 +0 +- +10s$/);
    assert.equal(lines.length, 2 + 30);
  });

  it('diff: changed lines with some around them', () => {
    const before = 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj';
    assert.deepEqual(diffLines(before, before), []);
    assert.deepEqual(diffLines(before, before.replace('b\n', 'B\n').replace('\ni', '')), [
      ...[' a', '-b', '+B', ' c', ' d'],
      ...['@@ line 8 @@', ' g', ' h', '-i', ' j'],
    ]);
    assert.deepEqual(diffLines('a', 'a\nb'), [' a', '+b']);
    const long = Array.from({ length: 2500 }, (_, i) => i).join('\n');
    assert.equal(diffLines(long, long.replaceAll('\n', '\nx')).length, 1 + 2 * 2499);
  });
});
