/** A process cannot pass for another one: by a forged executable, an ended leader, a file without a name, or a pid of its own. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import type { ProcessTracepointEvent, TracerEvent } from '../../types/index.js';
import { kcmpPolicy } from '../syscall-policy.js';
import { copyProgram, fileArgument, fileHook, kernel, kprobePolicy, Recording } from './support.js';

const FOLDER = '/srv/forged';
/** The program that policies leave out, and another one. They have the same bytes. */
const REAL = `${FOLDER}/real`;
const OTHER = `${FOLDER}/other`;
/** A link to the first one, whose name a handler of binfmt_misc matches. */
const LINK = `${FOLDER}/link.forged`;
/** The longest name that a thread can have. */
const NAME = '/usr/sbin/sshd';
const USER = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];

/** Selectors on the call that the program makes. */
const callPolicy = (name: string, ...selectors: readonly string[]): string => kcmpPolicy(name, selectors);

const binaries = (operator: string, path: string, more = ''): string =>
  `matchBinaries: [{ operator: ${operator}, values: ["${path}"]${more} }]`;
const pids = (operator: string, more = ''): string =>
  `matchPIDs: [{ operator: ${operator}, values: [0, 1], isNamespacePID: true${more} }]`;

/** A process that has forged its identity and waits. */
class WaitingProcess {
  private constructor(
    readonly pid: number,
    readonly go: () => Promise<void>,
  ) {}

  static async start(...command: readonly string[]): Promise<WaitingProcess> {
    const child = spawn(command[0] as string, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    const [ready] = (await Promise.race([once(child.stdout, 'data'), exited])) as unknown[];
    assert.equal(String(ready), 'ready\n', `${command.join(' ')} ended`);
    return new WaitingProcess(child.pid as number, async () => {
      child.stdin.end('go\n');
      await exited;
    });
  }
}

const isCall = (event: TracerEvent): event is ProcessTracepointEvent => event.type === 'process_tracepoint';

/** The policies and executables of the events, in the order of the policies. */
async function reportCalls(
  recording: Recording,
  policies: readonly string[],
  run: () => void | Promise<void>,
): Promise<(readonly [policy: string, executable: string, untrusted: boolean])[]> {
  for (const yaml of policies) await recording.tracer.addPolicy({ yaml });
  const events = (await recording.eventsDuring(run)).filter(isCall);
  return events
    .map(({ policyName, process }) => [policyName, process.executable, process.binaryUntrusted] as const)
    .sort(([a], [b]) => a.localeCompare(b));
}

describe('forged identity', () => {
  let recording: Recording | undefined;

  before(() => {
    if (existsSync(REAL)) return;
    mkdirSync(FOLDER, { recursive: true });
    copyProgram('forged-identity', REAL);
    copyFileSync(REAL, OTHER);
    symlinkSync(REAL, LINK);
  });
  const close = async (): Promise<void> => {
    await recording?.close();
    recording = undefined;
  };
  afterEach(close);

  const open = async (): Promise<Recording> => (recording = await Recording.open(undefined));
  /** A tracer that is younger than all processes. */
  const openLater = async (): Promise<Recording> => {
    await Recording.closeCached();
    return open();
  };
  const EXEMPT = callPolicy('exempt', binaries('NotIn', REAL));
  const OTHERS = callPolicy('other', binaries('In', OTHER));

  for (const [how, title] of [
    ['replace', 'an executable that the process has replaced'],
    ['share', 'an executable that a helper has replaced in the memory that both share'],
  ] as const) {
    it(`${title}, before the tracer`, async () => {
      const forged = await WaitingProcess.start(...USER, OTHER, how, REAL);
      assert.deepEqual(await reportCalls(await openLater(), [EXEMPT, OTHERS], () => forged.go()), [
        ['exempt', REAL, true],
        ['other', REAL, true],
      ]);
    });

    it(`${title}, before the policy`, async () => {
      const own = await open();
      const forged = await WaitingProcess.start(...USER, OTHER, how, REAL);
      const lost = own.tracer.stats().lostByHook.filter(({ policyName }) => policyName === '');
      assert.deepEqual(lost, []);
      assert.deepEqual(await reportCalls(own, [EXEMPT, OTHERS], () => forged.go()), [
        ['exempt', OTHER, false],
        ['other', OTHER, false],
      ]);
    });
  }

  /** Since Linux 6.7, a user namespace can have handlers of its own. The guest of the newest kernel has no binfmt_misc. */
  if (kernel === '6.12')
    it('an executable that a handler of binfmt_misc in a user namespace has got as a descriptor', async () => {
      execFileSync('modprobe', ['binfmt_misc']);
      const mount = `${FOLDER}/handlers`;
      mkdirSync(mount, { recursive: true });
      const script = `mount -t binfmt_misc none ${mount} && echo ':forged:E::forged::${OTHER}:O' > ${mount}/register && exec ${LINK}`;
      const forged = await WaitingProcess.start(...USER, 'unshare', '-Urm', 'sh', '-c', script);
      assert.equal(readlinkSync(`/proc/${forged.pid}/exe`), REAL);
      assert.deepEqual(await reportCalls(await openLater(), [EXEMPT, OTHERS], () => forged.go()), [
        ['exempt', REAL, true],
      ]);
    });

  it('the exec of a program that policies leave out is not doubted', async () => {
    const running = [
      await WaitingProcess.start(...USER, REAL, 'wait'),
      await WaitingProcess.start(...USER, 'unshare', '-Ur', REAL, 'wait'),
      await WaitingProcess.start(...USER, REAL, 'leaderless', NAME),
    ];
    const calls = reportCalls(await openLater(), [EXEMPT, OTHERS], async () => {
      for (const each of running) await each.go();
    });
    assert.deepEqual(await calls, []);
  });

  it('a leader that has ended: the executable is that of the other threads, and not the name of the leader', async () => {
    const leaderless = await WaitingProcess.start(...USER, OTHER, 'leaderless', NAME);
    const named = callPolicy('named', binaries('In', NAME));
    const followed = callPolicy('followed', binaries('In', OTHER, ', followChildren: true'));
    const own = await openLater();
    assert.equal(own.tracer.stats().lost, 0);
    assert.deepEqual(await reportCalls(own, [EXEMPT, OTHERS, named, followed], () => leaderless.go()), [
      ['exempt', OTHER, false],
      ['followed', OTHER, false],
      ['other', OTHER, false],
    ]);
    const [event] = own.events.filter(isCall);
    assert.deepEqual([event?.process.binary, event?.process.flags], [OTHER, 'procFS']);
    assert.deepEqual(event?.process.argv, ['leaderless', NAME]);
  });

  it('a kernel thread has its name as its binary', async () => {
    const { tracer } = await open();
    const thread = tracer.process(2);
    assert.deepEqual([thread?.binary, thread?.executable, thread?.binaryUntrusted], ['kthreadd', '', false]);
  });

  describe('the pid in a pid namespace of the own', () => {
    const asUser = (...command: readonly string[]): void => {
      execFileSync(USER[0] as string, [...USER.slice(1), 'unshare', '-Urpf', ...command]);
    };
    /** As a container's runtime does. */
    const asRoot = (...command: readonly string[]): void => {
      execFileSync('unshare', ['-pf', ...command]);
    };

    it('NotIn: exempts process 1 of a namespace that root has created, and of no other', async () => {
      const calls = await reportCalls(await open(), [callPolicy('namespace', pids('NotIn'))], () => {
        asRoot(REAL, 'call');
        asUser(OTHER, 'call');
      });
      assert.deepEqual(calls, [['namespace', OTHER, false]]);
    });

    // Process 1 of the machine is an ancestor of every process, so these are processes 2. On the machine, that is a kernel thread.
    const SECOND = callPolicy(
      'namespace',
      'matchPIDs: [{ operator: NotIn, values: [2], isNamespacePID: true, followForks: true }]',
    );

    it('NotIn with followForks: the same', async () => {
      const calls = await reportCalls(await open(), [SECOND], () => {
        asRoot('sh', '-c', `${REAL} call; true`);
        asUser('sh', '-c', `${OTHER} call; true`);
      });
      assert.deepEqual(calls, [['namespace', OTHER, false]]);
    });

    it('NotIn with followForks: processes before the policy', async () => {
      const processes = [
        await WaitingProcess.start('unshare', '-pf', 'sh', '-c', `${REAL} wait; true`),
        await WaitingProcess.start(...USER, 'unshare', '-Urpf', 'sh', '-c', `${OTHER} wait; true`),
      ];
      const calls = await reportCalls(await open(), [SECOND], async () => {
        for (const each of processes) await each.go();
      });
      assert.deepEqual(calls, [['namespace', OTHER, false]]);
    });

    it('In selects every process 1', async () => {
      for (const more of ['', ', followForks: true']) {
        const calls = await reportCalls(await open(), [callPolicy('namespace', pids('In', more))], () => {
          asRoot(REAL, 'call');
          asUser(OTHER, 'call');
        });
        assert.deepEqual(calls.map(([, executable]) => executable).sort(), [OTHER, REAL]);
        await close();
      }
    });

    it('a selector with NoPost, or one that only reports before Sigkill, keeps no process 1 of a user', async () => {
      const noPost = `${pids('In')}\nmatchActions: [{ action: NoPost }]`;
      const kill = 'matchActions: [{ action: Sigkill }]';
      const calls = await reportCalls(await open(), [callPolicy('suppress', noPost, '')], () => {
        asRoot(REAL, 'call');
        asUser(OTHER, 'call');
      });
      assert.deepEqual(calls, [['suppress', OTHER, false]]);
      await close();
      recording = await Recording.open(undefined, { enforcement: true });
      const only = `${pids('In')}\n${binaries('Prefix', FOLDER)}`;
      const yaml = callPolicy('kill', only, `${binaries('Prefix', FOLDER)}\n${kill}`);
      await recording.tracer.addPolicy({ yaml });
      const events = await recording.eventsDuring(() => {
        asRoot(REAL, 'call');
        spawnSync(USER[0] as string, [...USER.slice(1), 'unshare', '-Urpf', OTHER, 'call']);
      });
      assert.deepEqual(
        events.filter(isCall).map(({ process, action }) => [process.executable, action]),
        [
          [REAL, 'post'],
          [OTHER, 'sigkill'],
        ],
      );
    });
  });

  /** tmpfs keeps the names of all files in memory, so a disk is needed. The guests of other kernels have no loop device. */
  const describeOnDisk = kernel === '6.12' ? describe : (): void => {};

  describeOnDisk('a file that was opened by its handle, before anybody looked up its name', () => {
    const DISK = `${FOLDER}/disk`;
    const MOUNT = `${FOLDER}/mount`;

    /** Reads the file while the kernel has none of its names in memory. */
    function readByHandle(): void {
      const handle = execFileSync(REAL, ['handle', `${MOUNT}/folder`, 'file']);
      execFileSync('umount', [MOUNT]);
      execFileSync('mount', ['-o', 'loop', DISK, MOUNT]);
      execFileSync(REAL, ['open', MOUNT], { input: handle });
    }

    before(() => {
      execFileSync('modprobe', ['-a', 'loop', 'ext4']);
      mkdirSync(MOUNT, { recursive: true });
      execFileSync('truncate', ['-s', '16M', DISK]);
      execFileSync('mkfs.ext4', ['-q', DISK]);
      execFileSync('mount', ['-o', 'loop', DISK, MOUNT]);
      mkdirSync(`${MOUNT}/folder`);
      writeFileSync(`${MOUNT}/folder/file`, 'x');
    });
    after(() => void spawnSync('umount', [MOUNT]));

    const FILTERS: readonly (readonly [operator: string, values: string])[] = [
      ['Equal', `${MOUNT}/folder/file`],
      ['Prefix', `${MOUNT}/`],
      ['Postfix', '/file'],
      ['NotEqual', '/'],
      ['NotPrefix', '/usr/'],
    ];
    for (const [operator, value] of FILTERS) {
      it(`${operator} matches, and the event has the flag unknown`, async () => {
        const filter = `- matchArgs: [{ index: 0, operator: ${operator}, values: ["${value}"] }]
  matchBinaries: [{ operator: In, values: ["${REAL}"] }]`;
        recording = await Recording.open(kprobePolicy('handle', fileHook(filter)));
        const files = (await recording.hooksDuring(readByHandle)).map(fileArgument);
        assert.ok(
          files.some(({ path, flags }) => path === '' && flags.includes('unknown')),
          inspect(files),
        );
      });
    }
  });
});
