/** The types of policies refuse mistakes. */
import assert from 'node:assert/strict';
import type ts from 'typescript';
import { diagnose, MARK, programPath, formatMessages } from './diagnose.js';
import { PROGRAMS } from './programs.js';

const programSource = (spec: string): string =>
  `import { definePolicy } from '../../../types/index.js';\ndefinePolicy({ metadata: { name: 'a' }, spec: {\n${spec}\n} });\n`;

/** The other operators of the public types are compared with the tables of the library by the compiler. */
const CONTRACT = `import type * as Public from '../../../types/index.js';
import type * as Internal from '../../../lib/compiled/compiled-policy.js';
import type { FilterOf } from '../../../types/index.js';
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type OfTwoValues = Extract<FilterOf<[{ index: 0; type: 'cap_effective' }]>, { args: readonly [number, number] }>;
const checks: [Same<Public.CompiledPolicy, Internal.CompiledPolicy>, Same<OfTwoValues['operator'], 'CapabilitiesGained'>] = [true, true];
void checks;
`;

/** Policies whose lists, selectors or hooks come from variables. */
const COMPUTED = `import { definePolicy } from '../../../types/index.js';
import type { Argument } from '../../../types/index.js';
declare const paths: string[];
declare const fixed: readonly string[];
declare const numbers: Set<number>;
declare const capabilities: \`CAP_\${string}\`[];
declare const signal: number;
const file = [{ index: 0, type: 'file' }, { index: 1, type: 'int' }] as const;
definePolicy({ metadata: { name: paths.join() }, spec: {
  lists: [{ name: 'calls', values: paths }],
  options: [{ name: 'policy-mode', value: paths.length > 1 ? 'enforce' : 'monitor' }],
  containerSelector: { matchExpressions: [{ key: 'name', operator: 'In', values: fixed }] },
  kprobes: [{
    call: 'f', syscall: false, args: file, message: paths[0]!, tags: paths,
    selectors: [{
      matchArgs: [{ index: 0, operator: 'Prefix', values: paths }, { index: 1, operator: 'Equal', values: [...numbers] }],
      matchBinaries: [{ operator: 'NotIn', values: fixed.map((each) => each) }],
      matchPIDs: [{ operator: 'NotIn', values: [...numbers], followForks: true }],
      matchCapabilities: [{ operator: 'In', values: capabilities }],
      matchNamespaces: [{ namespace: 'Net', operator: 'In', values: [...numbers] }],
      matchActions: [{ action: 'Signal', argSig: signal }],
    }],
  }],
} });
definePolicy({ metadata: { name: 'a' }, spec: { kprobes: [{
  call: 'f', syscall: false, args: file,
  selectors: paths.map((path) => ({ matchArgs: [{ index: 0, operator: 'Equal', values: [path] }] }) as const),
}] } });
definePolicy({ metadata: { name: 'a' }, spec: { kprobes: paths.map((call) => ({
  call, syscall: false, args: file, selectors: [{ matchArgs: [{ index: 0, operator: 'Equal', values: fixed }] }],
}) as const) } });
declare const args: Argument[];
definePolicy({ metadata: { name: 'a' }, spec: { kprobes: [{ call: 'f', syscall: false, args }] } });
`;

describe('types: policies', function () {
  this.timeout(120_000);
  let found: Map<string, ts.Diagnostic[]>;

  before(() => {
    const sources = new Map<string, string>();
    PROGRAMS.forEach(({ spec }, i) => {
      sources.set(programPath(`wrong-${i}`), programSource(spec.replace(MARK, '$1')));
      sources.set(programPath(`right-${i}`), programSource(spec.replace(MARK, '$2')));
    });
    sources.set(programPath('contract'), CONTRACT);
    sources.set(programPath('computed'), COMPUTED);
    found = diagnose(sources);
  });

  PROGRAMS.forEach(({ name, spec }, i) => {
    it(`refuses ${name}`, () => {
      assert.match(spec, MARK);
      const right = found.get(programPath(`right-${i}`)) ?? [];
      assert.equal(formatMessages(right), '', 'the right variant compiles');
      const wrong = found.get(programPath(`wrong-${i}`)) ?? [];
      assert.ok(wrong.length > 0, 'the wrong variant compiles');
    });
  });

  it('refuses at least 30 mistakes', () => assert.ok(PROGRAMS.length >= 30));

  it('accepts values that are computed at run time', () => {
    assert.equal(formatMessages(found.get(programPath('computed')) ?? []), '');
  });

  it('has the compiled policies of the library, and one operator that compares two values', () => {
    assert.equal(formatMessages(found.get(programPath('contract')) ?? []), '');
  });
});
