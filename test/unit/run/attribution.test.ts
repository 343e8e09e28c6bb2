/** The package of a process is the one that its environment names, unless it is the one of the command itself. */
import assert from 'node:assert/strict';
import { Origins } from '../../../lib/run/attribution.js';
import type { Process } from '../../../types/index.js';

const process = (execId: string, parentExecId = '', cwd = '/work'): Process =>
  ({ execId, parentExecId, cwd }) as Process;
const npm = (name: string, file: string, script = 'postinstall') => [
  { name: 'npm_package_name', value: name },
  { name: 'npm_package_json', value: file },
  { name: 'npm_lifecycle_event', value: script },
];
const cargo = (value: string) => [{ name: 'CARGO_PKG_NAME', value }];

describe('origins of processes', () => {
  const make = (): Origins =>
    new Origins({ packageFiles: ['/work/package.json', '/caller/package.json'], cargoPackage: 'caller' });

  it('are packages of npm and cargo, and folders of pip', () => {
    const origins = make();
    origins.add(process('a'), npm('nice', '/work/node_modules/nice/package.json'));
    origins.add(process('b'), cargo('serde'));
    origins.add(process('c', '', '/tmp/pip-install-x1/numpy_0123456789abcdef0123456789abcdef/src'), []);
    assert.deepEqual(origins.find(process('a')), { package: 'nice', script: 'postinstall' });
    assert.deepEqual(origins.find(process('b')), { package: 'serde', script: 'build.rs' });
    assert.deepEqual(origins.find(process('c')), { package: 'numpy', script: 'setup.py' });
  });

  it('are none for the package of the working folder, and for the one whose script has called the command', () => {
    const origins = make();
    origins.add(process('a'), npm('work', '/work/package.json', 'test'));
    origins.add(process('b'), npm('caller', '/caller/package.json', 'test'));
    origins.add(process('c'), cargo('caller'));
    for (const execId of ['a', 'b', 'c']) assert.equal(origins.find(process(execId)), undefined);
  });

  it('are the package in whose folder a process is executed, unless the command itself runs in one', () => {
    const origins = make();
    origins.add(
      process('a', '', '/work/node_modules/a/node_modules/@scope/b/src'),
      npm('work', '/work/package.json', 'test'),
    );
    origins.add(process('b', '', '/work/node_modules/.bin'), []);
    assert.deepEqual(origins.find(process('a')), { package: '@scope/b' });
    assert.equal(origins.find(process('b')), undefined);
    const own = new Origins({ packageFiles: [], cargoPackage: undefined, isPackage: true });
    own.add(process('c', '', '/work/node_modules/a'), []);
    assert.equal(own.find(process('c')), undefined);
  });

  it('go by the working folder if yarn 1 does not name the file of the package', () => {
    const origins = make();
    const yarn = npm('work', '').filter(({ name }) => name !== 'npm_package_json');
    origins.add(process('a', '', '/work'), yarn);
    origins.add(process('b', '', '/work/node_modules/nice'), yarn);
    assert.equal(origins.find(process('a')), undefined);
    assert.deepEqual(origins.find(process('b')), { package: 'work', script: 'postinstall' });
  });

  it('stay those of the first package of a chain, whatever its processes claim', () => {
    const origins = make();
    origins.add(process('a'), npm('nice', '/work/node_modules/nice/package.json'));
    origins.add(process('b', 'a'), npm('other', '/x/package.json'));
    assert.equal(origins.find(process('b', 'a'))?.package, 'nice');
    assert.equal(origins.find(process('c', 'b'))?.package, 'nice');
  });

  it('of a process that starts children is not forgotten beside any number of others', () => {
    const origins = make();
    origins.add(process('a'), npm('nice', '/work/node_modules/nice/package.json'));
    for (let i = 0; i < 40_000; i++) {
      origins.add(process(`other ${i}`), cargo('serde'));
      if (i % 1000 === 0) assert.equal(origins.find(process('child', 'a'))?.package, 'nice');
    }
    assert.equal(origins.find(process('other 0')), undefined);
  });
});
