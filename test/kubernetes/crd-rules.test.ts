/** The rules in CEL of the CustomResourceDefinitions, by cel-go, which newer API servers use. That of these tests has none. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { policyCrds } from '../../lib/policy/language/crd.js';
import { readCorpus } from '../unit/policy/corpus.js';
import { needsGo, runGoProgram } from './go.js';
import { WRONG_RULES, WRONG_SCHEMA } from './wrong-policies.js';

/** The limits of the API server for the estimated cost of one rule, and of all rules of a definition. */
const RULE_COST_MAX = 10_000_000;
const CRD_COST_MAX = 100_000_000;
/** A version of Kubernetes may estimate more. */
const ROOM = 1.35;

interface RuleCost {
  readonly path: string;
  readonly rule: string;
  /** Maximum number of places in a resource. */
  readonly times: number;
  readonly cost: number;
}

describe('rules of the CustomResourceDefinitions', function () {
  this.timeout(240_000);
  let folder: string;
  let definition: string;
  before(needsGo);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-crd-'));
    definition = join(folder, 'crd.json');
    writeFileSync(definition, JSON.stringify(policyCrds()[0]));
  });
  after(() => folder && rmSync(folder, { recursive: true }));

  /** Messages of the rules that each resource breaks. */
  function checkRules(resources: readonly unknown[]): Promise<string[][]> {
    const file = join(folder, 'resources.json');
    writeFileSync(file, JSON.stringify(resources));
    return runGoProgram<string[]>('cel', 'check', definition, file);
  }

  it('cost less than the API server allows', async () => {
    const [costs = []] = await runGoProgram<RuleCost[]>('cel', 'cost', definition);
    assert.ok(costs.length > 50, String(costs.length));
    const most = Math.max(...costs.map(({ times, cost }) => times * cost));
    const all = costs.reduce((sum, { times, cost }) => sum + times * cost, 0);
    console.log(`      ${costs.length} rules, the most expensive ${most}, all ${all}`);
    assert.ok(most * ROOM < RULE_COST_MAX, String(most));
    assert.ok(all * ROOM < CRD_COST_MAX, String(all));
  });

  it('refuse what depends on several fields, and name the cure', async () => {
    const found = await checkRules(WRONG_RULES.map(({ spec }) => ({ spec })));
    assert.equal(found.length, WRONG_RULES.length);
    for (const [i, { title, says }] of WRONG_RULES.entries()) {
      assert.equal(found[i]?.length, 1, `${title}: ${found[i]?.join('; ')}`);
      assert.match(found[i][0] as string, says, title);
    }
  });

  it('accept every policy that polytrace accepts', async function () {
    const policies = readCorpus().map(({ text }) => parse(text) as unknown);
    if (policies.length === 0) this.skip();
    const found = await checkRules(policies);
    assert.deepEqual(found, policies.map(() => [])); // prettier-ignore
  });

  it('do not repeat what the schema says', async () => {
    const found = await checkRules(WRONG_SCHEMA.map(({ spec }) => ({ spec })));
    assert.deepEqual(found.flat(), []);
  });
});
