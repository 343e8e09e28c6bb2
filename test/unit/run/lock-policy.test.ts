/** The policy of a lock file compiles without a warning, lets pass what the lock file has, and reports what is new. */
import assert from 'node:assert/strict';
import type { HookArgument, LockFact, LockPolicyOptions } from '../../../types/index.js';
import { PolytraceError } from '../../../lib/errors.js';
import { evaluateHook } from '../../../lib/evaluate/evaluate.js';
import { compilePolicy, explainPolicy, validatePolicy } from '../../../lib/index.js';
import { formatLock, parseLock } from '../../../lib/run/lock.js';
import { lockPolicy } from '../../../lib/run/lock-policy.js';
import { fileArgument } from '../output/arguments.js';
import { plainProcess } from '../output/events.js';
import { socketArgument } from '../output/values.js';

const PLACES = { PWD: '/home/me/work', HOME: '/home/me', CACHE: ['/home/me/.npm', '/home/me/.cache/'] };
const facts = (...texts: readonly string[]): LockFact[] => texts.map((fact) => ({ package: '.', fact }));

const LOCK: LockFact[] = [
  ...facts(
    'exec /usr/bin/node',
    'exec $PWD/node_modules/.bin/tool',
    'exec $TMP/build-*/conftest',
    'write $HOME/.config/npm.log',
    'write $CACHE/**',
    'write $TMP/*.o',
    'write /var/lib/x (folder)',
    'connect registry.npmjs.org:443',
    'connect 10.0.0.1:5432',
    'connect 127.0.0.1:*',
    'connect [2001:db8::1]:8080',
    'connect 192.0.2.1:40000',
    'connect 9.9.9.9:853 (DNS over TLS: names are not seen)',
    'listen 127.0.0.1:*',
    'listen [::1]:9229',
    'remove $TMP/*',
    'dns registry.npmjs.org',
    'secret $HOME/.netrc',
  ),
  { package: 'esbuild', fact: 'postinstall: exec $PWD/node_modules/esbuild/bin/esbuild' },
  { package: 'esbuild', fact: 'postinstall: secret $HOME/.npmrc (written)' },
];

type Call = 'security_bprm_check' | 'security_file_open' | 'tcp_connect' | 'security_socket_listen';

/** The messages of the hooks that report the call. Checks that the policy is valid and can be explained. */
function report(lock: readonly LockFact[], options: LockPolicyOptions, call: Call, ...values: readonly HookArgument[]): string[] {
  const yaml = lockPolicy(lock, { variables: PLACES, ...options });
  assert.deepEqual(validatePolicy(yaml), []);
  assert.ok(explainPolicy(yaml).hooks.length >= 5);
  const { hooks, processSets } = compilePolicy(yaml, { architecture: 'x64' });
  return hooks
    .filter((hook) => hook.call === call)
    .flatMap((hook) => {
      const recorded = { timeNs: 0n, values: values.slice(0, hook.args.length), process: plainProcess(), ancestors: [], isSocketOwner: false };
      const { reported } = evaluateHook(hook, processSets, recorded);
      assert.notEqual(reported, 'unknown');
      return reported === 'no' ? [] : [hook.message ?? ''];
    });
} // prettier-ignore

const executed = (path: string): HookArgument => ({ ...fileArgument(path), type: 'linux_binprm' });
const opened = (path: string, flags: number): HookArgument[] => [
  fileArgument(path),
  { type: 'uint32', index: 0, value: flags },
];
const READ = 0x8000;
const WRITE = 0x8241;
const connected = (destinationAddress: string, destinationPort: number): HookArgument =>
  socketArgument({
    destinationAddress,
    destinationPort,
    ...(destinationAddress.includes(':') ? { family: 'AF_INET6' } : {}),
  });
const listening = (sourceAddress: string, sourcePort: number): HookArgument => ({
  ...socketArgument({ sourceAddress, sourcePort, ...(sourceAddress.includes(':') ? { family: 'AF_INET6' } : {}) }),
  type: 'socket',
});

describe('the policy of a lock file', () => {
  const table: readonly (readonly [what: string, call: Call, values: readonly HookArgument[], isNew: boolean, options?: LockPolicyOptions])[] = [
    ['a program', 'security_bprm_check', [executed('/usr/bin/node')], false],
    ['a program of the working folder', 'security_bprm_check', [executed('/home/me/work/node_modules/.bin/tool')], false],
    ['a program with a name that varies', 'security_bprm_check', [executed('/var/tmp/build-77/conftest')], false],
    ['a program of a package', 'security_bprm_check', [executed('/home/me/work/node_modules/esbuild/bin/esbuild')], false],
    ['the same, in the policy of the command', 'security_bprm_check', [executed('/home/me/work/node_modules/esbuild/bin/esbuild')], true, { section: '.' }],
    ['another program', 'security_bprm_check', [executed('/usr/bin/curl')], true],
    ['a program with a longer name', 'security_bprm_check', [executed('/usr/bin/node2')], true],
    ['a written file', 'security_file_open', opened('/home/me/.config/npm.log', WRITE), false],
    ['a file of the working folder', 'security_file_open', opened('/home/me/work/a', WRITE), false],
    ['a cache', 'security_file_open', opened('/home/me/.cache/a/b', WRITE), false],
    ['a temporary file', 'security_file_open', opened('/tmp/ccX.o', WRITE), false],
    ['/dev/null', 'security_file_open', opened('/dev/null', WRITE), false],
    ['a file that is read', 'security_file_open', opened('/home/me/.bashrc', READ), false],
    ['another written file', 'security_file_open', opened('/home/me/.bashrc', WRITE), true],
    ['a folder of the lock file, as a file', 'security_file_open', opened('/var/lib/x', WRITE), true],
    ['a secret', 'security_file_open', opened('/home/me/.netrc', READ), false],
    ['another secret', 'security_file_open', opened('/home/me/.ssh/id_rsa', READ), true],
    ['a secret of the system', 'security_file_open', opened('/etc/shadow', READ), true],
    ['a secret that was only read, written', 'security_file_open', opened('/home/me/.netrc', WRITE), true],
    ['a written secret', 'security_file_open', opened('/home/me/.npmrc', WRITE), false],
    ['a setting of the package manager', 'security_file_open', opened('/home/me/.npmrc', READ), false, { section: '.' }],
    ['the same, read by a package', 'security_file_open', opened('/home/me/.npmrc', READ), true, { section: 'other' }],
    ['an address', 'tcp_connect', [connected('10.0.0.1', 5432)], false],
    ['the address with another port', 'tcp_connect', [connected('10.0.0.1', 5433)], true],
    ['the port of another address', 'tcp_connect', [connected('10.0.0.2', 5432)], true],
    ['an IPv6 address', 'tcp_connect', [connected('2001:db8::1', 8080)], false],
    ['another IPv6 address', 'tcp_connect', [connected('2001:db8::2', 8080)], true],
    ['any address of a name', 'tcp_connect', [connected('198.51.100.7', 443)], false],
    ['a network of a name', 'tcp_connect', [connected('104.16.3.4', 443)], false, { addresses: { 'registry.npmjs.org': ['104.16.0.0/12', '2606::/16'] } }],
    ['an address that is not of the name', 'tcp_connect', [connected('198.51.100.7', 443)], true, { addresses: { 'registry.npmjs.org': ['104.16.0.0/12'] } }],
    ['a port that the kernel chose', 'tcp_connect', [connected('127.0.0.1', 50_000)], false],
    ['such a port elsewhere', 'tcp_connect', [connected('127.0.0.2', 50_000)], true],
    ['a high port', 'tcp_connect', [connected('192.0.2.1', 40_000)], false],
    ['a high port, and an address with any', 'tcp_connect', [connected('127.0.0.1', 40_000)], false],
    ['a high port of another address', 'tcp_connect', [connected('192.0.2.2', 40_000)], true],
    ['a resolver over TLS', 'tcp_connect', [connected('9.9.9.9', 853)], false],
    ['a listener', 'security_socket_listen', [listening('127.0.0.1', 33_333)], false],
    ['a listener of IPv6', 'security_socket_listen', [listening('::1', 9229)], false],
    ['a listener for everybody', 'security_socket_listen', [listening('0.0.0.0', 33_333)], true],
    ['a listener on another port', 'security_socket_listen', [listening('127.0.0.1', 80)], true],
    ['a listener of no network', 'security_socket_listen', [{ ...listening('', 0), family: 'AF_UNIX' } as HookArgument], false],
  ]; // prettier-ignore
  const lock = [...LOCK, { package: 'other', fact: 'exec /bin/true' }];
  for (const [what, call, values, isNew, options = {}] of table) {
    it(`${what} is ${isNew ? 'reported' : 'allowed'}`, () => {
      assert.equal(report(lock, options, call, ...values).length, isNew ? 1 : 0);
    });
  }

  it('of an empty lock file reports everything outside of the working folder', () => {
    for (const [call, ...values] of [
      ['security_bprm_check', executed('/bin/sh')],
      ['security_file_open', ...opened('/x', WRITE)],
      ['tcp_connect', connected('127.0.0.1', 1)],
      ['security_socket_listen', listening('127.0.0.1', 1)],
    ] as const)
      assert.equal(report([], {}, call, ...values).length, 1, call);
    assert.deepEqual(report([], {}, 'security_file_open', ...opened('/home/me/work/x', WRITE)), []);
  });

  it('has room for any number of ports, and each connection has one event', function () {
    this.timeout(20_000);
    const many = facts(...Array.from({ length: 70 }, (_, i) => `connect 10.0.0.1:${i + 1}`));
    assert.deepEqual(report(many, {}, 'tcp_connect', connected('10.0.0.1', 60)), []);
    for (const [address, port] of [['10.0.0.2', 60], ['10.0.0.1', 300]] as const)
      assert.equal(report(many, {}, 'tcp_connect', connected(address, port)).length, 1); // prettier-ignore
  });

  it('says what is wider than the lock file, and what is not compared', () => {
    const yaml = lockPolicy(LOCK, { variables: PLACES });
    const comment = yaml.split('\n').filter((line) => line.startsWith('#')).join(' ').replaceAll(/ # +/g, ' '); // prettier-ignore
    for (const part of [
      'The kernel compares addresses, no host names.',
      '"registry.npmjs.org:443" allows every address with this port. Narrow it with --address.',
      '"$TMP/*.o" allows every path that begins so.',
      'Not compared: 3 facts about dns, remove, write.',
      'It is about every process: give it a scope',
    ])
      assert.ok(comment.includes(part), part);
    assert.ok(!comment.includes('$CACHE'));
    const narrow = lockPolicy(LOCK, { variables: PLACES, addresses: { 'registry.npmjs.org': ['::1'] } });
    assert.ok(!narrow.includes('allows every address'));
  });

  it('is about programs and what they start, if they are named', () => {
    const yaml = lockPolicy(LOCK, { variables: PLACES, programs: ['/usr/bin/npm'] });
    assert.equal([...yaml.matchAll(/followChildren: true/g)].length, [...yaml.matchAll(/^ {8}- match/gm)].length);
    assert.deepEqual(validatePolicy(yaml), []);
  });

  it('has the name of its section', () => {
    const name = (section: string): string =>
      compilePolicy(lockPolicy([{ package: section, fact: 'exec /x' }], { variables: PLACES, section })).name;
    assert.equal(name('@scope/Some_Package'), 'polytrace-lock-scope-some-package');
    assert.equal(name('.'), 'polytrace-lock');
    assert.ok(name('x-'.repeat(200)).length <= 63);
  });

  it('names of packages and files stay values: no character of theirs is YAML', () => {
    const odd = '/a\n- b: "c" \u2028\u0085\ud800 #*/x';
    const written = parseLock(formatLock([
      { kind: 'exec', subject: odd, fact: odd, count: 1, process: [] },
      { kind: 'exec', subject: odd.replace('*', ''), fact: odd.replace('*', ''), count: 1, process: [] },
    ])); // prettier-ignore
    const yaml = lockPolicy(written, { variables: PLACES });
    assert.match(yaml, /^[\n -~\ufffd]*$/);
    const path = written[1]?.fact.slice('exec '.length) ?? '';
    assert.deepEqual(report(written, {}, 'security_bprm_check', executed(path)), []);
    assert.equal(report(written, {}, 'security_bprm_check', executed('/a')).length, 1);
  });

  it('a working folder that is a home, or has homes, is not the command\'s own', () => {
    for (const PWD of ['/home/me', '/home', '/'])
      assert.equal(report(LOCK, { variables: { ...PLACES, PWD } }, 'security_file_open', ...opened('/home/me/.bashrc', WRITE)).length, 1, PWD); // prettier-ignore
  }); // prettier-ignore

  const refused: readonly (readonly [string, readonly LockFact[], LockPolicyOptions, RegExp, RegExp])[] = [
    ['no working folder', [], {}, /^\$PWD has no folder, and the working folder/, /--var PWD=/],
    ['a variable without a folder', facts('write $HOME/x'), { variables: { PWD: '/w' } }, /^\$HOME has no folder, and "\$HOME\/x" needs it/, /--var HOME=/],
    ['a relative folder', [], { variables: { PWD: 'w' } }, /"w", which is no absolute path/, /--var PWD=\/FOLDER/],
    ['no such section', LOCK, { variables: PLACES, section: 'x' }, /no section "x"/, /"\.", "esbuild"/],
    ['an unknown kind', facts('fly /x'), { variables: PLACES }, /the fact "fly \/x" of the section "\." has no known kind/, /--update-lock/],
    ['no address', facts('connect somewhere'), { variables: PLACES }, /"somewhere" is no address with a port/, /--update-lock/],
  ]; // prettier-ignore
  for (const [what, lockFacts, options, message, hint] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => lockPolicy(lockFacts, options),
        (error) =>
          error instanceof PolytraceError && error.code === 'LOCK_POLICY' && message.test(error.message) && hint.test(error.hint),
      );
    });
  } // prettier-ignore
});
