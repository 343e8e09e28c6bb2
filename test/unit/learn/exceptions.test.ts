/** Learned exceptions: what is learned, what never is, and that nothing is lost and nothing else is hidden. */
import assert from 'node:assert/strict';
import { checkExceptions, learnExceptions } from '../../../lib/index.js';
import { validatePolicy } from '../../../lib/policy/index.js';
import type { LearnedExceptions } from '../../../types/index.js';
import { fileArgument, intArgument } from '../output/arguments.js';
import { hostProcess, RecordingFolder, type Call } from './recording-file.js';

const WIDE = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: files }
spec:
  kprobes:
    - call: security_file_permission
      syscall: false
      args: [{ index: 0, type: file }, { index: 1, type: int }]
    - call: security_bprm_check
      syscall: false
      args: [{ index: 0, type: linux_binprm }]
`;
/** The policy of the package, in short. */
const POLICY = `# What the policy says.
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: files }
spec:
  kprobes:
    - call: security_file_permission
      syscall: false
      message: A file was used
      args: [{ index: 0, type: file }, { index: 1, type: int }]
      selectors:
        # the first selector
        - matchArgs: [{ index: 0, operator: Prefix, values: [/etc/, /var/, /root/, /tmp/, /usr/, /home/] }]
    - call: security_bprm_check
      syscall: false
      message: A program was executed
      args: [{ index: 0, type: linux_binprm }]
`;

const use = (executable: string, path: string, access = 4, more: Partial<Call> = {}): Call => ({
  process: hostProcess(executable),
  args: [fileArgument(path), intArgument(access, 1)],
  ...more,
});
const numbered = (count: number, make: (i: number) => Call): Call[] => Array.from({ length: count }, (_, i) => make(i));
const BASH = hostProcess('/usr/bin/bash', [], { pid: 3 });
const SSHD = hostProcess('/usr/lib/openssh/sshd-session', [], { pid: 2 });
const DPKG = hostProcess('/usr/bin/dpkg', [], { pid: 4 });

describe('learned exceptions', () => {
  const folder = new RecordingFolder();
  after(() => folder.remove());

  const learn = async (...calls: readonly Call[]): Promise<LearnedExceptions> =>
    learnExceptions([folder.write(WIDE, calls)], { policy: POLICY });
  const filtersOf = (learned: LearnedExceptions): string[] =>
    learned.exceptions.map(({ programs, filters }) =>
      [programs.join(','), ...filters.map(({ position, operator, values }) => `${position} ${operator} ${values.join(',')}`)].join(' | '),
    ); // prettier-ignore

  it('a program and its files, in front of the selectors, with comments; explain and validate understand it', async () => {
    const learned = await learn(use('/usr/sbin/sshd', '/etc/shadow'), use('/usr/sbin/sshd', '/etc/shadow'), use('/usr/bin/passwd', '/etc/shadow'));
    assert.deepEqual(filtersOf(learned), ['/usr/bin/passwd,/usr/sbin/sshd | 0 Equal /etc/shadow | 1 Equal 4']);
    assert.equal(learned.alerts, 3);
    assert.deepEqual(validatePolicy(learned.yaml).filter(({ severity }) => severity === 'error'), []);
    assert.match(learned.yaml, /# Learned: 3 events of 2 processes \(user 0\), 2026-11-24T14:36:50Z to/);
    assert.match(learned.yaml, /# {3}Hides: every such call of "\/usr\/bin\/passwd", "\/usr\/sbin\/sshd", whoever/);
    assert.match(learned.yaml, /# {3}Look: a secret is among the values\./);
    assert.match(learned.yaml, /# What the policy says\./);
    assert.match(learned.yaml, /# the first selector\n\s+- matchArgs/);
  }); // prettier-ignore

  it('nothing of people: shells, tools and interpreters without a script, and all programs of users', async () => {
    const learned = await learn(
      use('/usr/bin/cat', '/etc/shadow', 4, { parent: BASH, ancestors: [SSHD] }),
      use('/usr/bin/python3.13', '/etc/shadow'),
      use('/tmp/evil', '/etc/shadow'),
      use('/home/me/evil', '/etc/shadow'),
      use('/dev/shm/x', '/etc/shadow'),
      { ...use('/usr/sbin/sshd', '/etc/shadow'), process: hostProcess('/usr/sbin/sshd', [], { binaryUntrusted: true }) },
      { ...use('/usr/bin/perl', '/etc/shadow'), process: hostProcess('/usr/bin/perl', ['/tmp/x.pl']) },
      { ...use('/usr/bin/perl', '/etc/shadow'), process: hostProcess('/usr/bin/perl', ['/usr/bin/../../tmp/x.pl']) },
      { hook: 1, process: hostProcess('/usr/sbin/sshd'), args: [{ ...fileArgument('/tmp/payload'), type: 'linux_binprm' }] },
    ); // prettier-ignore
    assert.deepEqual(learned.exceptions, []);
    const reasons = new Set(learned.remaining.map(({ reason }) => reason.slice(0, 30)));
    assert.equal(reasons.size, 4);
    assert.equal(learned.remaining.length, 8);
    assert.match(learned.yaml, /Alerts of which nothing was learned, so that they stay:/);
  });

  it('a script, or an ancestor, says for whom a tool works', async () => {
    const script = { ...use('/usr/bin/python3.13', '/var/lib/x/y'), process: hostProcess('/usr/bin/python3.13', ['/usr/bin/unattended']) }; // prettier-ignore
    const below = use('/usr/bin/chmod', '/etc/cron.d/x', 2, { parent: BASH, ancestors: [DPKG, BASH, SSHD] });
    const learned = await learn(script, below);
    assert.deepEqual(learned.exceptions.map(({ programs, script: of, ancestor }) => [programs, of, ancestor]), [
      [['/usr/bin/chmod'], undefined, '/usr/bin/dpkg'],
      [['/usr/bin/python3.13'], '/usr/bin/unattended', undefined],
    ]); // prettier-ignore
    assert.match(learned.yaml, /matchParentBinaries:\n\s+- operator: In\n\s+followChildren: true\n\s+values:\n\s+- \/usr\/bin\/dpkg/);
    const file = folder.write(WIDE, [script, below]);
    const attack = folder.write(WIDE, [
      use('/usr/bin/chmod', '/etc/cron.d/x', 2, { parent: BASH, ancestors: [SSHD] }),
      use('/usr/bin/python3.13', '/var/lib/x/y'),
      use('/usr/bin/chmod', '/etc/cron.d/other', 2, { parent: BASH, ancestors: [DPKG] }),
    ]);
    const checked = await checkExceptions(learned, [file], [attack]);
    assert.deepEqual([checked.passed, checked.before, checked.after, checked.attacksBefore, checked.attacksAfter], [true, 2, 0, 3, 3]);
  }); // prettier-ignore

  it('many files of a folder are the folder, but not of secrets, settings, homes and shared folders', async () => {
    const inFolder = (program: string, path: string): Call[] => numbered(15, (i) => use(program, `${path}/${'abcdefghijklmno'[i]}.x`));
    const learned = await learn(
      ...inFolder('/usr/sbin/nginx', '/var/cache/nginx/store'),
      ...inFolder('/usr/sbin/nginx', '/etc/nginx'),
      ...inFolder('/usr/sbin/nginx', '/root/.ssh'),
      ...inFolder('/usr/sbin/nginx', '/home/me'),
      ...inFolder('/usr/sbin/nginx', '/tmp'),
      ...inFolder('/usr/sbin/nginx', '/usr/share/doc'),
      ...inFolder('/usr/bin/dpkg', '/usr/share/doc'),
    );
    const prefixes = filtersOf(learned).filter((text) => text.includes('Prefix'));
    assert.deepEqual(prefixes, [
      '/usr/bin/dpkg | 0 Prefix /usr/share/doc/ | 1 Equal 4',
      '/usr/sbin/nginx | 0 Prefix /var/cache/nginx/store/ | 1 Equal 4',
    ]);
  }); // prettier-ignore

  it('names that differ each time are patterns after three of them', async () => {
    const learned = await learn(
      ...numbered(3, (i) => use('/usr/sbin/cron', `/var/spool/app/job-${10_000 + i}.tmp`)),
      ...numbered(2, (i) => use('/usr/sbin/cron', `/var/spool/two/job-${10_000 + i}.tmp`)),
      ...numbered(3, (i) => use('/usr/sbin/cron', `/tmp/${'abc'[i]}23456`)),
    );
    assert.deepEqual(filtersOf(learned), [
      '/usr/sbin/cron | 0 Equal /tmp/a23456,/tmp/b23456,/tmp/c23456,/var/spool/two/job-10000.tmp,/var/spool/two/job-10001.tmp | 1 Equal 4',
      '/usr/sbin/cron | 0 Prefix /var/spool/app/job- | 0 Postfix .tmp | 1 Equal 4',
    ]);
  });

  it('endings of temporary names are patterns after three of them, but words and numbers are not', async () => {
    const apt = (path: string): Call => use('/usr/bin/apt-get', path, 2);
    const made = ['3g5iV2', 'bhFB1N', 'xR7yia'].map((ending) => apt(`/var/lib/apt/extended_states.${ending}`));
    const words = ['backup', 'status', 'README'].map((ending) => apt(`/var/lib/apt/words.${ending}`));
    const two = ['4ayVTo', 'u99mK6'].map((ending) => apt(`/var/lib/other/two.${ending}`));
    const hidden = ['cXyFIA', '4rnBUD', 'bNVCAw'].map((ending) => apt(`/var/lib/hidden/.${ending}`));
    assert.deepEqual(filtersOf(await learn(...made, ...words, ...two, ...hidden)), [
      `/usr/bin/apt-get | 0 Prefix /var/lib/apt/extended_states. | 1 Equal 2`,
      `/usr/bin/apt-get | 0 Equal ${['hidden/.4rnBUD', 'hidden/.bNVCAw', 'hidden/.cXyFIA', 'other/two.4ayVTo', 'other/two.u99mK6', 'apt/words.README', 'apt/words.backup', 'apt/words.status'].map((path) => `/var/lib/${path}`).sort().join(',')} | 1 Equal 2`,
    ].sort()); // prettier-ignore
  });

  it('numbers that differ each time are not compared, and the exception says so', async () => {
    const learned = await learn(...numbered(20, (i) => use('/usr/sbin/sshd', '/etc/passwd', 1000 + i)));
    assert.deepEqual(filtersOf(learned), ['/usr/sbin/sshd | 0 Equal /etc/passwd']);
    assert.deepEqual(learned.exceptions[0]?.review, ['a number that differs each time is not compared']);
    const few = await learn(use('/usr/sbin/sshd', '/etc/passwd', 2), use('/usr/sbin/sshd', '/etc/passwd', 4));
    assert.deepEqual(filtersOf(few), ['/usr/sbin/sshd | 0 Equal /etc/passwd | 1 Equal 2,4']);
  });

  it('names of processes and files cannot leave their comments and strings', async () => {
    const evil = 'x\n      selectors: []\n# \u2028y';
    const learned = await learn(
      { ...use('/usr/sbin/sshd', '/etc/shadow'), process: hostProcess('/usr/sbin/sshd', [evil]) },
      use('/usr/sbin/cron', `/etc/${evil}`),
      use('/usr/sbin/cron', "/etc/'\"#: {a}"),
      use(`/usr/bin/${evil}`, '/etc/passwd'),
    );
    assert.deepEqual(filtersOf(learned), [
      '/usr/sbin/cron | 0 Equal /etc/\'"#: {a} | 1 Equal 4',
      '/usr/sbin/sshd | 0 Equal /etc/shadow | 1 Equal 4',
    ]);
    assert.deepEqual(validatePolicy(learned.yaml).filter(({ severity }) => severity === 'error'), []);
    assert.ok(!/^\s*selectors: \[\]/m.test(learned.yaml));
    assert.ok(!/[^\n -~]/.test(learned.yaml));
  }); // prettier-ignore

  it('an attack in the learning window hides no other attack', async () => {
    const learned = await learn(
      ...numbered(30, (i) => use('/usr/bin/curl', `/etc/cron.d/${i}`, 2, { parent: BASH, ancestors: [SSHD] })),
      ...numbered(30, (i) => use('/usr/sbin/tool', `/root/.ssh/id_${i}`)),
      use('/usr/sbin/tool', '/etc/shadow'),
    );
    const attack = folder.write(WIDE, [
      use('/usr/sbin/tool', '/root/.ssh/id_new'),
      use('/usr/sbin/tool', '/etc/gshadow'),
      use('/usr/bin/cat', '/etc/shadow', 4, { parent: BASH }),
      use('/usr/bin/curl', '/etc/cron.d/1', 2, { parent: BASH, ancestors: [SSHD] }),
    ]);
    const { passed, attacksBefore, attacksAfter } = await checkExceptions(learned, [attack], [attack]);
    assert.deepEqual([passed, attacksBefore, attacksAfter], [true, 4, 4]);
  });

  it('a check finds what an exception hides of an attack', async () => {
    const learned = await learn(use('/usr/sbin/sshd', '/etc/shadow'));
    const attack = folder.write(WIDE, [use('/usr/sbin/sshd', '/etc/shadow')]);
    const checked = await checkExceptions(learned, [], [attack]);
    assert.equal(checked.passed, false);
    assert.match(checked.problems[0] ?? '', /^an attack is hidden: security_file_permission/);
    await assert.rejects(checkExceptions({ ...learned }, []), { code: 'BAD_OPTION' });
  });

  it('containers are known by their images, and only if a source knows them', async () => {
    const container = { id: 'a'.repeat(64), name: 'web', image: { name: 'docker.io/library/nginx:1.27' } };
    const inside = { binaryUntrusted: true, container };
    const unknown = { binaryUntrusted: true, container: { id: 'b'.repeat(64) } };
    const calls = [
      { ...use('/x', '/etc/passwd'), process: hostProcess('/usr/bin/sh', [], inside) },
      { ...use('/x', '/etc/passwd'), process: hostProcess('/usr/bin/sh', [], unknown) },
    ];
    const learned = await learn(...calls);
    assert.deepEqual(learned.exceptions.map(({ container: of, programs }) => [of, programs]), [['docker.io/library/nginx', []]]); // prettier-ignore
    assert.match(learned.yaml, /matchWorkloads:\n\s+containerSelector:/);
    assert.match(learned.remaining[0]?.reason ?? '', /no source of containers/);
    const { passed, scoped, after: left } = await checkExceptions(learned, [folder.write(WIDE, calls)]);
    assert.deepEqual([passed, scoped, left], [true, 1, 1]);
  });

  it('memory is bounded: values beyond the limit stay alerts, and are counted', async () => {
    const learned = await learn(...numbered(2100, (i) => use('/usr/sbin/sshd', `/etc/${i.toString(36)}x`)));
    assert.equal(learned.alerts, 2100);
    assert.deepEqual(learned.remaining.map(({ reason, evidence }) => [reason, evidence.split(' ')[0]]), [['there was no room for more', '52']]); // prettier-ignore
    assert.equal(
      learned.exceptions.reduce((sum, { events }) => sum + events, 0),
      2048,
    );
  });

  it('random calls: nothing learned stays, nothing else is hidden', async () => {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;
    const PROGRAMS = ['/usr/sbin/sshd', '/usr/bin/dpkg', '/usr/bin/cat', '/tmp/x', '/usr/sbin/nginx', '/usr/bin/perl'];
    const FOLDERS = ['/etc', '/etc/cron.d', '/var/lib/app', '/var/lib/app/sub', '/tmp', '/root/.ssh', '/usr/share/x', '/home/a', '/proc/7'];
    const name = (): string => pick(['a', 'b', 'shadow', `t-${Math.floor(Math.random() * 1e6)}`, `id_${Math.random().toString(36).slice(2, 5)}`]);
    const call = (): Call =>
      use(pick(PROGRAMS), `${pick(FOLDERS)}/${name()}`, pick([2, 4]), pick([{}, { parent: BASH, ancestors: [DPKG] }, { parent: SSHD }]));
    for (let round = 0; round < 12; round++) {
      const file = folder.write(WIDE, numbered(200, call));
      const learned = await learnExceptions([file], { policy: POLICY });
      const checked = await checkExceptions(learned, [file, folder.write(WIDE, numbered(200, call))]);
      assert.deepEqual(checked.problems, []);
      assert.ok(checked.passed && checked.after > 0);
    }
  }); // prettier-ignore
});
