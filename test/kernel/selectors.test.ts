/**
 * Each filter on the process: an action of a process that matches, and one of a process that does not. All are
 * selectors of one hook, which also reports that the other action happened.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { ProcessKprobeEvent } from '../../types/index.js';
import { batchInput, type NamedAction } from './matrix-policy.js';
import { prepareMatrix, PROGRAM } from './matrix-setup.js';
import { PROGRAMS } from './matrix-strings.js';
import type { Action } from './matrix.js';
import { MECHANISMS, Recording } from './support.js';

interface Row {
  readonly title: string;
  readonly filters: object;
  readonly match: Action;
  readonly miss: Action;
  /** The process that performs each action. The default is the first one. */
  readonly by?: { readonly match: 0 | 1; readonly miss: 0 | 1 };
}

const HERE: Action = ['here'];
const CALL: Action = ['lseek', 4242, 0, 0];
const program = (name: string): Action => ['program', `${PROGRAMS}/${name}`];
const chain = (leader: string, follower: string): Action => [
  'chain',
  `${PROGRAMS}/${leader}`,
  `${PROGRAMS}/${follower}`,
];

/** Rows that name the id of the first process. The second process has another id. */
function pidRows(pid: number): Row[] {
  const filter = (operator: string, more: object = {}, values = [pid]): object => ({
    matchPIDs: [{ operator, values, ...more }],
  });
  const other = { match: 0, miss: 1 } as const;
  const one = { match: 1, miss: 0 } as const;
  const newNamespace = unshareAction('pid', 1);
  return [
    { title: 'matchPIDs In', filters: filter('In'), match: HERE, miss: HERE, by: other },
    { title: 'matchPIDs In: children do not match', filters: filter('In'), match: HERE, miss: CALL },
    { title: 'matchPIDs NotIn', filters: filter('NotIn'), match: HERE, miss: HERE, by: one },
    {
      title: 'matchPIDs In, followForks',
      filters: filter('In', { followForks: true }),
      match: CALL,
      miss: CALL,
      by: other,
    },
    {
      title: 'matchPIDs NotIn, followForks',
      filters: filter('NotIn', { followForks: true }),
      match: CALL,
      miss: CALL,
      by: one,
    },
    {
      title: 'matchPIDs In, followForks: programs that they execute',
      filters: filter('In', { followForks: true }),
      match: chain('pids-a', 'pids-b'),
      miss: chain('pids-a', 'pids-b'),
      by: other,
    },
    {
      title: 'matchPIDs In, isNamespacePID',
      filters: filter('In', { isNamespacePID: true }, [1]),
      match: newNamespace,
      miss: CALL,
    },
    {
      title: 'matchPIDs NotIn, isNamespacePID',
      filters: filter('NotIn', { isNamespacePID: true }, [1]),
      match: CALL,
      miss: newNamespace,
    },
  ];
}

function binaryRows(): Row[] {
  const filter = (operator: string, value: string, field = 'matchBinaries', more: object = {}): object => ({
    [field]: [{ operator, values: [value], ...more }],
  });
  const follow = { followChildren: true };
  const parent = 'matchParentBinaries';
  const a = `${PROGRAMS}/bin-a`;
  return [
    { title: 'matchBinaries In', filters: filter('In', a), match: program('bin-a'), miss: program('bin-b') },
    { title: 'matchBinaries NotIn', filters: filter('NotIn', a), match: program('bin-b'), miss: program('bin-a') },
    { title: 'matchBinaries Prefix', filters: filter('Prefix', a), match: program('bin-a2'), miss: program('bin-b') },
    {
      title: 'matchBinaries NotPrefix',
      filters: filter('NotPrefix', a),
      match: program('bin-b'),
      miss: program('bin-a2'),
    },
    {
      title: 'matchBinaries Postfix',
      filters: filter('Postfix', 'n-a'),
      match: program('bin-a'),
      miss: program('bin-a2'),
    },
    {
      title: 'matchBinaries NotPostfix',
      filters: filter('NotPostfix', 'n-a'),
      match: program('bin-a2'),
      miss: program('bin-a'),
    },
    {
      title: 'matchBinaries In, followChildren',
      filters: filter('In', a, 'matchBinaries', follow),
      match: chain('bin-a', 'bin-b'),
      miss: chain('bin-b', 'bin-c'),
    },
    {
      title: 'matchBinaries NotIn, followChildren',
      filters: filter('NotIn', a, 'matchBinaries', follow),
      match: chain('bin-b', 'bin-c'),
      miss: chain('bin-a', 'bin-b'),
    },
    {
      title: 'matchParentBinaries In',
      filters: filter('In', a, parent),
      match: chain('bin-a', 'bin-b'),
      miss: chain('bin-b', 'bin-a'),
    },
    {
      title: 'matchParentBinaries NotIn',
      filters: filter('NotIn', a, parent),
      match: chain('bin-b', 'bin-a'),
      miss: chain('bin-a', 'bin-b'),
    },
    {
      title: 'matchParentBinaries Postfix',
      filters: filter('Postfix', '/bin-a', parent),
      match: chain('bin-a', 'bin-b'),
      miss: chain('bin-a2', 'bin-b'),
    },
  ];
}

/** CLONE_NEW… of linux/sched.h, and whether only a child is in the namespace that unshare makes. */
const FLAGS = {
  mnt: [0x20000, 0],
  uts: [0x4000000, 0],
  ipc: [0x8000000, 0],
  net: [0x40000000, 0],
  cgroup: [0x2000000, 0],
  user: [0x10000000, 0],
  pid: [0x20000000, 1],
  time: [0x80, 1],
} as const;
function unshareAction(name: keyof typeof FLAGS, fork: 0 | 1 = FLAGS[name][1]): Action {
  return ['unshared', FLAGS[name][0], fork];
}

function namespaceRows(): Row[] {
  const kinds: readonly (readonly [string, Action])[] = [
    ['Mnt', unshareAction('mnt')],
    ['Uts', unshareAction('uts')],
    ['Ipc', unshareAction('ipc')],
    ['Net', unshareAction('net')],
    ['Cgroup', unshareAction('cgroup')],
    ['User', unshareAction('user')],
    ['Pid', unshareAction('pid')],
    ['PidForChildren', unshareAction('pid', 0)],
    ['Time', unshareAction('time')],
    ['TimeForChildren', unshareAction('time', 0)],
  ];
  const filter = (namespace: string, operator: string, values: readonly string[]): object => ({
    matchNamespaces: [{ namespace, operator, values }],
  });
  // This is the number of the initial pid namespace from linux/proc_ns.h.
  const initial = ['4026531836', '1'];
  return [
    ...kinds.flatMap(([kind, outside]): Row[] => [
      {
        title: `matchNamespaces ${kind} In host_ns`,
        filters: filter(kind, 'In', ['host_ns']),
        match: CALL,
        miss: outside,
      },
      {
        title: `matchNamespaces ${kind} NotIn host_ns`,
        filters: filter(kind, 'NotIn', ['host_ns']),
        match: outside,
        miss: CALL,
      },
    ]),
    {
      title: 'matchNamespaces Pid In, numbers',
      filters: filter('Pid', 'In', initial),
      match: CALL,
      miss: unshareAction('pid'),
    },
    {
      title: 'matchNamespaces Pid NotIn, numbers',
      filters: filter('Pid', 'NotIn', initial),
      match: unshareAction('pid'),
      miss: CALL,
    },
    {
      title: 'matchNamespaceChanges In',
      filters: { matchNamespaceChanges: [{ operator: 'In', values: ['Mnt', 'Uts'] }] },
      match: unshareAction('uts'),
      miss: unshareAction('ipc'),
    },
    {
      title: 'matchNamespaceChanges NotIn',
      filters: { matchNamespaceChanges: [{ operator: 'NotIn', values: ['Uts'] }] },
      match: unshareAction('ipc'),
      miss: unshareAction('uts'),
    },
  ];
}

const CHROOT = 1 << 18;
const KILL = 1 << 5;
const withSets = (effective: number, inheritable: number, permitted: number): Action => [
  'with',
  effective,
  inheritable,
  permitted,
];
function capabilityRows(): Row[] {
  const filter = (field: string, type: string, operator: string, more: object = {}): object => ({
    [field]: [{ type, operator, values: ['CAP_SYS_CHROOT', 'CAP_NET_RAW'], ...more }],
  });
  const caps = 'matchCapabilities';
  const changes = 'matchCapabilityChanges';
  const namespaced = { isNamespaceCapability: true };
  const has = withSets(CHROOT | KILL, CHROOT, CHROOT | KILL);
  const hasNot = withSets(KILL, KILL, KILL);
  return [
    ...['Effective', 'Inheritable', 'Permitted'].flatMap((type): Row[] => [
      { title: `${caps} ${type} In`, filters: filter(caps, type, 'In'), match: has, miss: hasNot },
      { title: `${caps} ${type} NotIn`, filters: filter(caps, type, 'NotIn'), match: hasNot, miss: has },
    ]),
    {
      title: `${caps} In, isNamespaceCapability`,
      filters: filter(caps, 'Effective', 'In', namespaced),
      match: unshareAction('user'),
      miss: has,
    },
    { title: `${changes} In`, filters: filter(changes, 'Effective', 'In'), match: hasNot, miss: CALL },
    { title: `${changes} NotIn`, filters: filter(changes, 'Effective', 'NotIn'), match: hasNot, miss: CALL },
    { title: `${changes} Inheritable In`, filters: filter(changes, 'Inheritable', 'In'), match: has, miss: hasNot },
  ];
}

/** Two processes that perform the actions they receive, one line after the other. */
class Actors {
  readonly #children: readonly ChildProcess[] = [0, 1].map(() =>
    spawn(PROGRAM, ['batch'], { stdio: ['pipe', 'ignore', 'inherit'] }),
  );

  get firstPid(): number {
    return this.#children[0]?.pid ?? 0;
  }

  async run(actions: readonly [readonly NamedAction[], readonly NamedAction[]]): Promise<void> {
    for (const [i, child] of this.#children.entries()) {
      const ended = once(child, 'exit');
      child.stdin?.end(batchInput(actions[i as 0 | 1]));
      assert.deepEqual(await ended, [0, null]);
    }
  }
}

function rowSelector(row: Row, number: number): object {
  const own = { args: [0], operator: 'Equal', values: [`s${number}+`, `s${number}-`] };
  return { ...row.filters, matchData: [own] };
}

function selectorPolicy(rows: readonly Row[]): string {
  const hook = {
    call: 'sys_lseek',
    syscall: true,
    args: [{ index: 0, type: 'int' }],
    data: [{ index: 0, type: 'string', source: 'current_task', resolve: 'comm' }],
    selectors: [...rows.map(rowSelector), { matchArgs: [{ index: 0, operator: 'Equal', values: ['4242'] }] }],
  };
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: 'selectors' },
    spec: { kprobes: [hook] },
  });
}

/** The rows in groups. Each group has its own hook, because a hook can have at most 64 selectors. */
const GROUPS: readonly (readonly [string, (pid: number) => readonly Row[]])[] = [
  ['process ids', pidRows],
  ['binaries', binaryRows],
  ['namespaces', namespaceRows],
  ['capabilities', capabilityRows],
];

for (const attach of MECHANISMS) {
  describe(`filters on the process by ${attach}`, () => {
    before(prepareMatrix);

    for (const [title, makeRows] of GROUPS) {
      describe(title, () => {
        let recording: Recording | undefined;
        let events: readonly ProcessKprobeEvent[] = [];
        before(async () => {
          const actors = new Actors();
          const rows = makeRows(actors.firstPid);
          recording = await Recording.open(selectorPolicy(rows), { attach });
          const actions = [0, 1].map((actor) => actorActions(rows, actor)) as [NamedAction[], NamedAction[]];
          events = await recording.hooksDuring(() => actors.run(actions));
        });
        after(() => recording?.close());

        makeRows(0).forEach((row, number) => {
          it(row.title, () => checkRow(number, events));
        });
      });
    }
  });
}

function actorActions(rows: readonly Row[], actor: number): NamedAction[] {
  return rows.flatMap((row, number) => {
    const by = row.by ?? { match: 0, miss: 0 };
    return [
      ...(by.match === actor ? [{ name: `s${number}+`, action: row.match }] : []),
      ...(by.miss === actor ? [{ name: `s${number}-`, action: row.miss }] : []),
    ];
  });
}

function checkRow(number: number, events: readonly ProcessKprobeEvent[]): void {
  const selectors = (name: string): number[] =>
    events
      .filter(({ data: [first] }) => first?.type === 'string' && first.value === name)
      .map((event) => event.selector);
  assert.deepEqual(selectors(`s${number}+`), [number], 'what must match');
  const missed = selectors(`s${number}-`);
  assert.ok(missed.length === 1 && missed[0] !== number, `what must not match: ${missed.join(', ')}`);
}
