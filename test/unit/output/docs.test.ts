import assert from 'node:assert/strict';
import { readProjectFile } from '../../project.js';

describe('documentation', () => {
  it('docs/events.md has every type, field, reason and flag of the contract', () => {
    const contract = readProjectFile('types/events.d.ts').replace(/\/\*\*[\s\S]*?\*\//g, '');
    const fields = [...contract.matchAll(/(?:readonly|get) (\w+)\??[:(]/g)].map(([, name]) => name ?? '');
    const strings = [...contract.matchAll(/'([\w]+)'/g)].map(([, name]) => name ?? '');
    assert.ok(fields.length > 50 && strings.length > 20);
    const page = readProjectFile('docs/events.md');
    const pod = new Set(['labels', 'workload', 'workloadKind', 'container', 'image', 'id', 'name', 'namespace']);
    const missing = [...fields, ...strings].filter((name) => !pod.has(name) && !new RegExp(`\\b${name}\\b`).test(page));
    assert.deepEqual([...new Set(missing)], []);
  });

  it('docs/events.md has every function that the compact output knows', () => {
    const table = readProjectFile('lib/output/known-functions.ts');
    const names = [...table.matchAll(/^ {2}(\w+): (?:\{|\(args)/gm)].map(([, name]) => name ?? '');
    assert.ok(names.includes('sys_openat') && names.includes('security_mmap_file'));
    const page = readProjectFile('docs/events.md');
    assert.deepEqual(
      names.filter((name) => !page.includes(`\`${name}\``)),
      [],
    );
  });

  it('docs/api.md has every option and function of the contract', () => {
    const page = readProjectFile('docs/api.md');
    for (const file of ['types/tracer.d.ts', 'types/output.d.ts', 'types/policy.d.ts']) {
      const contract = readProjectFile(file).replace(/\/\*\*[\s\S]*?\*\//g, '');
      const functions = [...contract.matchAll(/export function (\w+)/g)].map(([, name]) => name ?? '');
      const options = [...contract.matchAll(/interface \w*Options \{([^}]*)\}/g)].flatMap(([, body]) =>
        [...(body ?? '').matchAll(/readonly (\w+)\??:/g)].map(([, name]) => name ?? ''),
      );
      const missing = [...functions, ...options].filter((name) => !new RegExp(`\\b${name}\\b`).test(page));
      assert.deepEqual(missing, [], file);
    }
  });
});
