/** What `enforce` allows: rules, presets and lock files, and the policies that are made of them. */
import assert from 'node:assert/strict';
import type { LockFact, RunRules } from '../../../types/index.js';
import { deniedEndpoints } from '../../../lib/run/endpoints.js';
import { checkEnforce } from '../../../lib/run/enforce.js';
import { enforcementPolicy, isPackageFolder } from '../../../lib/run/enforcement-policy.js';
import { withAddresses } from '../../../lib/run/hosts.js';
import { killPolicy } from '../../../lib/run/kill-policy.js';
import { Mounts } from '../../../lib/run/mounts.js';
import { makeEnforcement, parseConnectRule, type Permissions } from '../../../lib/run/rules.js';
import { validatePolicy } from '../../../lib/index.js';

const places = { folder: '/srv/app', home: '/home/me', temporary: '/tmp', caches: ['/home/me/.npm'] };
const enforce = (rules: RunRules, lock?: readonly LockFact[]) =>
  makeEnforcement({ rules, lock, places, everywhere: false, registries: [] });
const paths = (patterns: Permissions['writes'] = []) =>
  patterns.map(({ path, isPrefix }) => path + (isPrefix ? '*' : ''));
const mounts = new Mounts(`20 1 8:1 / / rw - ext4 /dev/a rw
21 20 0:30 / /tmp rw - tmpfs tmpfs rw
22 20 8:2 /homes /home rw - ext4 /dev/b rw
23 20 8:1 /data /srv/with\\040space rw - ext4 /dev/a rw`);

describe('rules of run', () => {
  it('connections: names, addresses, networks', () => {
    const table: readonly (readonly [string, unknown])[] = [
      ['registry.npmjs.org:443', { host: 'registry.npmjs.org', isName: true, port: 443 }],
      ['10.0.0.0/8', { host: '10.0.0.0/8', isName: false, port: 'any' }],
      ['192.0.2.1:53', { host: '192.0.2.1', isName: false, port: 53 }],
      ['[2001:db8::1]:443', { host: '2001:db8::1', isName: false, port: 443 }],
      ['2001:db8::/32', { host: '2001:db8::/32', isName: false, port: 'any' }],
    ];
    for (const [text, expected] of table) assert.deepEqual(parseConnectRule(text), expected, text);
    for (const wrong of ['', 'name', 'name:0', 'name:70000', '10.0.0.0/33', 'a b:1', '300.1.1.1:1'])
      assert.throws(() => parseConnectRule(wrong), { code: 'RUN_RULES' }, wrong);
  });

  it('paths: relative to the working folder, with variables; no patterns', () => {
    assert.deepEqual(paths(enforce({ allowWrite: ['out', '~/x/', '$TMP/y'] }).all.writes), [
      '/srv/app/*', '/srv/app/out', '/srv/app/out/*', '/home/me/x', '/home/me/x/*', '/tmp/y', '/tmp/y/*',
    ]); // prettier-ignore
    for (const wrong of ['', 'a*', '$X/y'])
      assert.throws(() => enforce({ allowWrite: [wrong] }), { code: 'RUN_RULES' });
  });

  it('only what a rule is about is limited', () => {
    const { all } = enforce({ denySecrets: true });
    assert.deepEqual(
      [all.writes, all.connects, all.execs, all.listens, all.secrets],
      [undefined, undefined, undefined, undefined, []],
    );
    assert.deepEqual([all.memory, all.kernel, all.mounts, all.users], [false, false, false, false]);
  });

  it('a package may do what the packages of the lock file do, and the command also what it does itself', () => {
    const lock = [
      ['.', 'connect registry.npmjs.org:443'],
      ['.', 'dns registry.npmjs.org'],
      ['.', 'exec /usr/bin/node'],
      ['nice', 'postinstall: exec /usr/bin/dash'],
      ['nice', 'postinstall: rename $HOME/.a → $HOME/.b'],
      ['nice', 'postinstall: write $TMP/x (folder)'],
      ['nice', 'postinstall: secret $HOME/.netrc (written)'],
    ].map(([name = '', fact = '']) => ({ package: name, fact }));
    const { all, packages } = enforce({}, lock);
    assert.deepEqual(paths(packages.execs), ['/usr/bin/dash']);
    assert.deepEqual(paths(all.execs), ['/usr/bin/node', '/usr/bin/dash']);
    assert.deepEqual(packages.connects, []);
    assert.deepEqual([packages.dns, all.dns], [false, true]);
    assert.deepEqual(paths(packages.secrets), ['/home/me/.netrc']);
    for (const path of ['/home/me/.a', '/home/me/.b', '/tmp/x', '/home/me/.netrc'])
      assert.ok(paths(packages.writes).includes(path), path);
  });

  it('presets', () => {
    const { all, packages } = enforce({ preset: 'install' });
    assert.ok(all.connects?.some(({ host, port }) => host === '0.0.0.0/0' && port === 443));
    assert.deepEqual([packages.connects, packages.dns], [[], false]);
    assert.deepEqual(enforce({ preset: 'build' }).all.connects, []);
    assert.deepEqual(
      enforce({ preset: 'test' }).all.listens?.map(({ host }) => host),
      ['127.0.0.0/8', '::1'],
    );
    assert.ok(paths(all.writes).includes('/home/me/.npm/*'));
  });

  it('nothing to enforce is an error', () => {
    assert.throws(() => checkEnforce({ enforce: true }, false), { code: 'RUN_RULES' });
    assert.throws(() => checkEnforce({ enforce: {} }, false), { code: 'RUN_RULES' });
    assert.throws(() => checkEnforce({ enforce: true, lock: 'x', updateLock: true }, true), { code: 'RUN_RULES' });
    checkEnforce({ enforce: true, lock: 'x' }, true);
    checkEnforce({ enforce: { preset: 'test' } }, false);
    checkEnforce({}, false);
  });

  it('paths in a file system that is not that of the root', () => {
    assert.equal(mounts.inFileSystem('/etc/passwd'), undefined);
    assert.equal(mounts.inFileSystem('/tmp'), '/');
    assert.equal(mounts.inFileSystem('/tmp/x'), '/x');
    assert.equal(mounts.inFileSystem('/home/me/.x'), '/homes/me/.x');
    assert.equal(mounts.inFileSystem('/srv/with space/x'), undefined);
  });

  it('each pair of a port and an address that nothing allows is refused, and no other', () => {
    const allowed = withAddresses(
      [
        { host: 'a', isName: true, port: 443 },
        { host: '127.0.0.1', isName: false, port: '*' },
        { host: '10.0.0.0/8', isName: false, port: 'any' },
        { host: 'unknown', isName: true, port: 80 },
      ],
      { addresses: new Map([['a', ['192.0.2.1']]]) },
    );
    assert.deepEqual(
      deniedEndpoints(allowed, ['SPort', 'SAddr'], []).map((filters) =>
        filters.map(({ operator, values }) => `${operator} ${values.join()}`),
      ),
      [
        ['NotSAddr 10.0.0.0/8', 'NotSPort 32768:65535,443'],
        ['NotSAddr 10.0.0.0/8', 'SPort 443', 'NotSAddr 192.0.2.1'],
        ['NotSAddr 10.0.0.0/8', 'SPort 32768:65535', 'NotSAddr 127.0.0.1'],
      ],
    );
  });

  it('the policies are valid', () => {
    const { all, packages } = enforce({ preset: 'install', allowConnect: ['192.0.2.1:443', '10.0.0.0/8'] }, [
      { package: 'nice', fact: 'postinstall: exec $PWD/x' },
    ]);
    const connect = (one: Permissions) => ({
      ...one,
      connectsTo: withAddresses(one.connects ?? [], { addresses: new Map() }),
      listensAt: [],
    });
    const options = { pid: 42, all: connect(all), packages: connect(packages), hasPackages: true, mounts };
    for (const yaml of [
      enforcementPolicy(options),
      killPolicy(options),
      enforcementPolicy({ ...options, hasPackages: false }),
    ]) {
      const diagnostics = validatePolicy(yaml);
      assert.deepEqual(
        diagnostics.filter(({ severity }) => severity === 'error'),
        [],
      );
    }
  });

  it('a working folder in a package hides what is a package', () => {
    assert.equal(isPackageFolder('/srv/node_modules/x'), true);
    assert.equal(isPackageFolder('/srv/node_modules'), true);
    assert.equal(isPackageFolder('/srv/app'), false);
  });
});
