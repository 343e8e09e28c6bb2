import assert from 'node:assert/strict';
import { decideStage } from '../../../lib/fleet/policies/decide-stage.js';
import { BUDGETS, isInStage, makePlan } from '../../../lib/fleet/policies/plan.js';
import type { PolicyRecord } from '../../../lib/fleet/policies/records.js';
import type { NodeReport, PolicyReport } from '../../../lib/fleet/nodes/report.js';

const NAMES = Array.from({ length: 40 }, (_, i) => `node-${i}`);

describe('the plan of a rollout', () => {
  const plan = makePlan(NAMES, { percents: [5, 25, 100], waitMs: 1000, salt: 'salt' });
  const members = (stage: number): string[] => NAMES.filter((name) => isInStage(plan, stage, name));

  it('has as many nodes in each stage as its percents, and each stage has those before', () => {
    assert.deepEqual(
      [0, 1, 2].map((stage) => members(stage).length),
      [2, 10, 40],
    );
    assert.deepEqual(
      plan.stages.map(({ nodes }) => nodes),
      [2, 10, 40],
    );
    assert.ok(members(0).every((name) => members(1).includes(name)));
    assert.deepEqual(plan.budgets, BUDGETS);
  });

  it('has other first nodes each time, and the same for the same salt', () => {
    const first = (salt: string): string[] => {
      const other = makePlan(NAMES, { percents: [5, 100], waitMs: 0, salt });
      return NAMES.filter((name) => isInStage(other, 0, name));
    };
    assert.deepEqual(first('salt'), first('salt'));
    assert.notDeepEqual(first('salt'), first('pepper'));
  });

  it('has at least one more node in each stage, also for few nodes, and a place for those that come later', () => {
    const small = makePlan(['a', 'b', 'c'], { percents: [1, 2, 100], waitMs: 0 });
    assert.deepEqual(
      small.stages.map(({ nodes }) => nodes),
      [1, 2, 3],
    );
    const none = makePlan([], { percents: [50, 100], waitMs: 0, salt: 's' });
    const later = NAMES.filter((name) => isInStage(none, 0, name)).length;
    assert.ok(later > 5 && later < 35, `${later} of 40`);
    assert.ok(NAMES.every((name) => isInStage(none, 1, name) && isInStage(none, 9, name)));
  });

  describe('decides by the reports of its nodes', () => {
    const record = { name: 'p', version: 2, plan } as PolicyRecord;
    const good: PolicyReport = { wanted: 2, loaded: 2, events: 0, enforced: 0, lost: 0, rate: 0 };
    const decide = (reports: readonly (Partial<PolicyReport> | undefined)[], waitedMs = 0): [string, string] => {
      const nodes = members(0).map((node, i) => {
        const policies = reports[i] === undefined ? {} : { p: { ...good, ...reports[i] } };
        return { node, policies } as unknown as NodeReport;
      });
      const decision = decideStage(record, 0, nodes.slice(0, reports.length), waitedMs);
      return [decision.kind, 'reason' in decision ? decision.reason : ''];
    };
    const rows: [string, (Partial<PolicyReport> | undefined)[], number, string, RegExp][] = [
      ['all are well', [{}, {}], 0, 'healthy', /^$/],
      ['at the budgets', [{ enforced: 100, rate: 1000 }, {}], 0, 'healthy', /^$/],
      ['kills', [{}, { enforced: 101 }], 0, 'stop', /^node-\d+ enforced 101 times: the budget is 100$/],
      ['losses', [{ lost: 1 }, {}], 0, 'stop', /lost 1 events: the budget is 0/],
      ['a flood', [{ rate: 1001 }, {}], 0, 'stop', /reports 1001 events a second/],
      ['counters of the version before', [{ loaded: 1, enforced: 999 }, {}], 0, 'wait', /1 node of 2 has not loaded/],
      [
        'an error',
        [{ loaded: 1, error: 'no hook' }, {}],
        0,
        'stop',
        /1 node cannot load the version: node-\d+: no hook/,
      ],
      ['one that is not there yet', [undefined, {}], 0, 'wait', /1 node of 2 has not loaded the version \(node-\d+\)/],
      ['one that never comes', [undefined, {}], 600_001, 'stop', /has not loaded the version/],
      ['a silent one', [{}], 0, 'wait', /1 node of the stage is silent/],
      ['a silent one for long', [{}], 600_001, 'stop', /1 node of the stage is silent/],
      ['nobody', [], 0, 'wait', /2 nodes of the stage are silent/],
    ];
    for (const [what, reports, waitedMs, kind, reason] of rows) {
      it(what, () => {
        const decision = decide(reports, waitedMs);
        assert.equal(decision[0], kind);
        assert.match(decision[1], reason);
      });
    }
  });
});
