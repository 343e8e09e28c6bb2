/**
 * Filters on processes that were already running before the policy: descendants, parents, ids, changes. Also files by
 * their inode.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import {
  prepareWorkload,
  fileHook,
  fileArgument,
  onPath,
  kprobePolicy,
  Recording,
  WORKLOAD,
  runWorkload,
} from './support.js';

const FILE = '/srv/family-file';
/** A shell whose descendants are a chain of shells with the workload at the end. */
const SHELL = '/tmp/family-shell';
const OTHER_SHELL = '/tmp/other-shell';

/** A script that starts itself as its child. Its argument is the number of further children. */
const FAMILY = '/tmp/family.sh';
const FAMILY_TEXT = `if [ $1 = 0 ]; then ${WORKLOAD} wait ${FILE}; else /bin/sh ${FAMILY} $(($1 - 1)); fi
true
`;

/** Processes that wait for a line. Then the last of them acts. */
class WaitingProcess {
  private constructor(private readonly child: ChildProcess) {}

  static async start(program: string, ...args: readonly string[]): Promise<WaitingProcess> {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    return new WaitingProcess(child);
  }

  /** `depth` is the number of shells between the first process and the workload. */
  static family(shell: string, depth: number): Promise<WaitingProcess> {
    return WaitingProcess.start(shell, FAMILY, String(depth));
  }

  get pid(): number {
    return this.child.pid as number;
  }

  async go(line = 'go'): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin?.end(`${line}\n`);
    await ended;
  }
}

/** The number of events that the policy reports for families that were running before it. */
async function countEvents(
  filter: (first: WaitingProcess) => string,
  ...families: readonly WaitingProcess[]
): Promise<number[]> {
  const yaml = kprobePolicy('running', fileHook(`${onPath('Equal', FILE)}\n${filter(families[0] as WaitingProcess)}`));
  const recording = await Recording.open(yaml);
  try {
    const counts: number[] = [];
    for (const family of families) counts.push((await recording.hooksDuring(() => family.go())).length);
    return counts;
  } finally {
    await recording.close();
  }
}

describe('processes that were running before the policy', () => {
  before(() => {
    prepareWorkload();
    for (const shell of [SHELL, OTHER_SHELL]) if (!existsSync(shell)) copyFileSync('/bin/sh', shell);
    writeFileSync(FILE, 'x');
    writeFileSync(FAMILY, FAMILY_TEXT);
  });

  const binaries = (key: string, operator: string, follow: string): string =>
    `  ${key}:\n  - operator: ${operator}\n    values: ["${SHELL}"]\n${follow}`;
  const FOLLOW = '    followChildren: true';

  it('followChildren: descendants of any depth, whatever they execute', async () => {
    await Recording.closeCached(); // here they run before the tracer as well
    const families = [
      await WaitingProcess.family(SHELL, 0),
      await WaitingProcess.family(SHELL, 20),
      await WaitingProcess.family(OTHER_SHELL, 1),
    ];
    assert.deepEqual(await countEvents(() => binaries('matchBinaries', 'In', FOLLOW), ...families), [1, 1, 0]);
  });

  it('followChildren, NotIn', async () => {
    const families = [await WaitingProcess.family(SHELL, 3), await WaitingProcess.family(OTHER_SHELL, 1)];
    assert.deepEqual(await countEvents(() => binaries('matchBinaries', 'NotIn', FOLLOW), ...families), [0, 1]);
  });

  it('NotIn: a file that an unprivileged user has mounted over the program is not left out', async () => {
    const copy = '/tmp/forged-workload';
    copyFileSync(WORKLOAD, copy);
    const user = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const forged = `mount --bind ${copy} ${WORKLOAD}; exec ${WORKLOAD} read ${FILE} 1`;
    const filter = `  matchBinaries:\n  - {operator: NotIn, values: ["${WORKLOAD}"]}`;
    const recording = await Recording.open(kprobePolicy('forged', fileHook(`${onPath('Equal', FILE)}\n${filter}`)));
    try {
      const events = await recording.hooksDuring(() => {
        execFileSync('setpriv', [...user, 'unshare', '-Urm', 'sh', '-ec', forged]);
        execFileSync('setpriv', [...user, WORKLOAD, 'read', FILE, '1']);
      });
      assert.deepEqual(
        events.map(({ process }) => [process.executable, process.binaryUntrusted]),
        [[WORKLOAD, true]],
      );
    } finally {
      await recording.close();
    }
  });

  it('without followChildren only their own executable counts', async () => {
    const families = [await WaitingProcess.family(SHELL, 0)];
    assert.deepEqual(await countEvents(() => binaries('matchBinaries', 'In', ''), ...families), [0]);
  });

  it('matchParentBinaries: the parent, and not older ancestors', async () => {
    const families = [
      await WaitingProcess.family(SHELL, 0),
      await WaitingProcess.family(SHELL, 1),
      await WaitingProcess.family(OTHER_SHELL, 0),
    ];
    assert.deepEqual(await countEvents(() => binaries('matchParentBinaries', 'In', ''), ...families), [1, 0, 0]);
  });

  it('matchParentBinaries with followChildren: a parent that is followed', async () => {
    const families = [await WaitingProcess.family(SHELL, 0), await WaitingProcess.family(SHELL, 2)];
    assert.deepEqual(await countEvents(() => binaries('matchParentBinaries', 'In', FOLLOW), ...families), [1, 1]);
  });

  const pids = (pid: number, inNamespace: boolean): string =>
    `  matchPIDs:\n  - operator: In\n    followForks: true\n    isNamespacePID: ${inNamespace}\n    values: [${pid}]`;

  it('matchPIDs with followForks: descendants, and the programs that they execute', async () => {
    const families = [await WaitingProcess.family(SHELL, 2), await WaitingProcess.family(SHELL, 2)];
    assert.deepEqual(await countEvents((first) => pids(first.pid, false), ...families), [1, 0]);
  });

  it('isNamespacePID with followForks: the id in its own namespace', async () => {
    const families = [
      await WaitingProcess.start('/usr/bin/unshare', '--pid', '--fork', SHELL, FAMILY, '2'),
      await WaitingProcess.family(SHELL, 0),
    ];
    // 1 is also the id of the initial process, and all others descend from it.
    assert.deepEqual(await countEvents(() => pids(2, true), ...families), [1, 0]);
  });

  it('a policy that is added again finds new processes, and keeps no state from before', async () => {
    const text = (shell: string): string =>
      kprobePolicy(
        'again',
        fileHook(
          `${onPath('Equal', FILE)}\n  matchBinaries:\n  - {operator: In, values: ["${shell}"], followChildren: true}`,
        ),
      );
    const recording = await Recording.open(text(SHELL));
    try {
      const early = await WaitingProcess.family(SHELL, 1);
      await recording.tracer.removePolicy('again');
      const late = await WaitingProcess.family(OTHER_SHELL, 1);
      // There are as many different sets as bits, so the first bit is reused.
      for (let i = 0; i < 4; i++) {
        const selectors = Array.from(
          { length: 64 },
          (_, n) => `- matchBinaries:\n  - {operator: In, values: ["/nowhere/${i}/${n}"], followChildren: true}`,
        );
        await recording.tracer.addPolicy({ yaml: kprobePolicy('others', fileHook(selectors.join('\n'))) });
        await recording.tracer.removePolicy('others');
      }
      await recording.tracer.addPolicy({ yaml: text(OTHER_SHELL) });
      assert.equal((await recording.hooksDuring(() => early.go())).length, 0);
      assert.equal((await recording.hooksDuring(() => late.go())).length, 1);
    } finally {
      await recording.close();
    }
  });

  it('changes are relative to the state of a process when the policy was added', async () => {
    const before = await startBatch();
    const recording = await Recording.open(changePolicy('changes', UTS_CHANGE));
    try {
      const events = await recording.hooksDuring(() =>
        before(['same\tunshared\t0\t0', 'other\tunshared\t0x4000000\t0', 'another\tunshared\t0x8000000\t0']),
      );
      assert.equal(events.length, 1);
    } finally {
      await recording.close();
    }
  });
});

describe('changes of a process', () => {
  const policy = (name: string): string =>
    changePolicy(name, UTS_CHANGE, 'matchCapabilityChanges:\n  - {operator: In, values: [CAP_NET_RAW]}');

  it('are reported once by each policy, and one kind does not hide the other', async () => {
    const recording = await Recording.open(policy('changes-a'));
    try {
      await recording.tracer.addPolicy({ yaml: policy('changes-b') });
      const run = await startBatch();
      const events = await recording.hooksDuring(() => run(['both\tchanged\t0x4000000\t0x20\t0x20\t0x20']));
      const found = (name: string): number[] =>
        events.filter(({ policyName }) => policyName === name).map(({ selector }) => selector);
      assert.deepEqual(found('changes-a'), [0, 1]);
      assert.deepEqual(found('changes-b'), [0, 1]);
    } finally {
      await recording.close();
    }
  });
});

const UTS_CHANGE = 'matchNamespaceChanges:\n  - {operator: In, values: [Uts]}';

/** A policy with a selector for each filter, on the call that the workload makes. */
function changePolicy(name: string, ...filters: readonly string[]): string {
  const selectors = filters.map(
    (filter) => `- matchArgs:
  - {index: 0, operator: Equal, values: ["4242"]}
  ${filter}`,
  );
  return kprobePolicy(
    name,
    `call: sys_lseek
syscall: true
args:
- {index: 0, type: int}
selectors:
${selectors.join('\n')}`,
  );
}

/** Starts the workload in batch mode. Resolves to a function that sends it actions and waits for them. */
async function startBatch(): Promise<(actions: readonly string[]) => Promise<void>> {
  const child = spawn(WORKLOAD, ['batch'], { stdio: ['pipe', 'inherit', 'inherit'] });
  await new Promise((resolve) => child.once('spawn', resolve));
  return async (actions) => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end(actions.map((action) => `${action}\n`).join(''));
    await ended;
  };
}

describe('files by their inode', () => {
  const SECRET = '/srv/inode-secret';
  const ALIAS = '/srv/inode-alias';
  const filter = (value: string, inode: boolean, operator = 'Equal'): string =>
    `${onPath(operator, value)}${inode ? '\n    inode: true' : ''}\n  - index: 1\n    operator: Mask\n    values: ["4"]`;

  before(prepareWorkload);
  beforeEach(() => {
    for (const path of [SECRET, ALIAS]) rmSync(path, { force: true });
  });

  const recordPaths = async (
    selector: string,
    run: (recording: Recording) => void | Promise<void>,
  ): Promise<string[]> => {
    const recording = await Recording.open(
      kprobePolicy('inode', fileHook(`${selector}\n  matchBinaries:\n  - {operator: In, values: ["${WORKLOAD}"]}`)),
    );
    try {
      return await recording.pathsDuring(() => run(recording));
    } finally {
      await recording.close();
    }
  };

  it('a hard link and a bind mount match the file, and the event shows which path was used', async () => {
    writeFileSync(SECRET, 'x');
    linkSync(SECRET, ALIAS);
    const all = (): void => {
      runWorkload('read', ALIAS, 1);
      runWorkload('read', SECRET, 1);
    };
    assert.deepEqual(await recordPaths(filter(SECRET, true), all), [ALIAS, SECRET]);
    assert.deepEqual(await recordPaths(filter(SECRET, false), all), [SECRET]);
    mkdirSync('/srv/inode-bound', { recursive: true });
    const readBound = (): void => runWorkload('namespace', '/srv', '/srv/inode-bound', '/srv/inode-bound/inode-secret');
    assert.deepEqual(await recordPaths(filter(SECRET, true), readBound), ['/srv/inode-bound/inode-secret']);
  });

  it('a file that is created after the policy is known once its path was seen', async () => {
    const paths = await recordPaths(filter(SECRET, true), () => {
      writeFileSync(SECRET, 'x');
      linkSync(SECRET, ALIAS);
      runWorkload('read', SECRET, 1);
      runWorkload('read', ALIAS, 1);
    });
    assert.deepEqual(paths, [SECRET, ALIAS]);
  });

  it('NotEqual excludes the file under each of its names', async () => {
    writeFileSync(SECRET, 'x');
    linkSync(SECRET, ALIAS);
    const paths = await recordPaths(filter(SECRET, true, 'NotEqual'), () => {
      runWorkload('read', ALIAS, 1);
      runWorkload('read', SECRET, 1);
    });
    assert.ok(!paths.includes(ALIAS) && !paths.includes(SECRET), paths.join(' '));
  });

  it('on a file system whose device number differs from that of stat', async () => {
    const folders = ['lower', 'upper', 'work', 'merged'].map((name) => `/tmp/inode-${name}`);
    for (const folder of folders) mkdirSync(folder, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'none', '/tmp/inode-upper']);
    for (const folder of ['/tmp/inode-upper/u', '/tmp/inode-upper/w']) mkdirSync(folder);
    const options = 'lowerdir=/tmp/inode-lower,upperdir=/tmp/inode-upper/u,workdir=/tmp/inode-upper/w';
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, '/tmp/inode-merged']);
    try {
      writeFileSync('/tmp/inode-merged/secret', 'x');
      linkSync('/tmp/inode-merged/secret', '/tmp/inode-merged/alias');
      const paths = await recordPaths(filter('/tmp/inode-merged/secret', true), () =>
        runWorkload('read', '/tmp/inode-merged/alias', 1),
      );
      // Old kernels call the hook a second time for the underlying file, which has the same name.
      assert.deepEqual([...new Set(paths)], ['/tmp/inode-merged/alias']);
    } finally {
      for (const folder of ['/tmp/inode-merged', '/tmp/inode-upper']) execFileSync('umount', ['-l', folder]);
    }
  });

  it('the event contains the number of names of the file', async () => {
    writeFileSync(SECRET, 'x');
    linkSync(SECRET, ALIAS);
    const recording = await Recording.open(kprobePolicy('links', fileHook(filter(SECRET, true))));
    try {
      const [event] = await recording.hooksDuring(() => runWorkload('read', ALIAS, 1));
      assert.ok(event);
      const file = fileArgument(event);
      assert.equal(file.path, ALIAS);
      assert.equal(file.links, 2);
    } finally {
      await recording.close();
    }
  });
});
