import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as polytrace from '../../../lib/index.js';
import { ROOT, readProjectFile } from '../../project.js';

/** Lists the functions and classes that types/ declares, without names that exist only as types. */
function listDeclaredNames(): string[] {
  const index = readProjectFile('types/index.d.ts');
  const onlyTypes = [...index.matchAll(/^export type \* from '.\/(\w+)\.js'/gm)].map(([, name]) => `${name}.d.ts`);
  assert.ok(onlyTypes.includes('events.d.ts'));
  const files = readdirSync(join(ROOT, 'types')).filter((name) => name.endsWith('.d.ts') && !onlyTypes.includes(name));
  const text = files.map((name) => readProjectFile(`types/${name}`)).join('\n');
  return [...text.matchAll(/^export (?:declare )?(?:abstract )?(?:function|class|const) (\w+)/gm)]
    .map(([, name]) => name ?? '')
    .sort();
}

describe('the public API', () => {
  it('is exactly what types/ declares', () => {
    assert.deepEqual(Object.keys(polytrace).sort(), listDeclaredNames());
  });

  it('is the same for import', () => {
    const wrapper = readProjectFile('lib/index.mjs');
    const names = [...(/\{([^}]*)\}/.exec(wrapper)?.[1] ?? '').matchAll(/\w+/g)].map(([name]) => name);
    assert.deepEqual(names.sort(), listDeclaredNames());
  });

  it('loads, parses and compiles without the addon', () => {
    const yaml = readProjectFile('policies/file-monitoring.yaml');
    assert.equal(polytrace.compilePolicy(polytrace.parsePolicy(yaml)).name, 'file-monitoring');
    assert.ok(!Object.keys(require.cache).some((path) => path.endsWith('.node') && path.startsWith(ROOT)));
  });
});
