import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as polytrace from '../../../lib/index.js';

const ROOT = join(__dirname, '../../..');

/** Names of the functions and classes that types/ declares, without those that are only types. */
function declared(): string[] {
  const index = readFileSync(join(ROOT, 'types/index.d.ts'), 'utf8');
  const onlyTypes = [...index.matchAll(/^export type \* from '.\/(\w+)\.js'/gm)].map(([, name]) => `${name}.d.ts`);
  assert.ok(onlyTypes.includes('events.d.ts'));
  const files = readdirSync(join(ROOT, 'types')).filter((name) => name.endsWith('.d.ts') && !onlyTypes.includes(name));
  const text = files.map((name) => readFileSync(join(ROOT, 'types', name), 'utf8')).join('\n');
  return [...text.matchAll(/^export (?:declare )?(?:abstract )?(?:function|class|const) (\w+)/gm)]
    .map(([, name]) => name ?? '')
    .sort();
}

describe('the public API', () => {
  it('is what types/ declares, neither more nor less', () => {
    assert.deepEqual(Object.keys(polytrace).sort(), declared());
  });

  it('is the same for import', () => {
    const wrapper = readFileSync(join(ROOT, 'lib/index.mjs'), 'utf8');
    const names = [...(/\{([^}]*)\}/.exec(wrapper)?.[1] ?? '').matchAll(/\w+/g)].map(([name]) => name);
    assert.deepEqual(names.sort(), declared());
  });

  it('loads, parses and compiles without the addon', () => {
    const yaml = readFileSync(join(ROOT, 'examples/file-monitoring.yaml'), 'utf8');
    assert.equal(polytrace.compilePolicy(polytrace.parsePolicy(yaml)).name, 'file-monitoring');
    assert.ok(!Object.keys(require.cache).some((path) => path.endsWith('.node') && path.startsWith(ROOT)));
  });
});
