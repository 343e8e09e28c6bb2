/** An unprivileged user cannot pass for a program that a policy leaves out. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ProcessTracepointEvent, Tracer, TracerEvent } from '../../types/index.js';
import { kcmpPolicy } from '../syscall-policy.js';
import { assertNoLoss, collectEvents, isTracepoint, needsRoot, openTracer, polytrace, tracePolicy, Workshop } from './support.js';

const NOBODY = 65534;
const USER = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups'];

/** Selectors on the system call that identity.c makes. */
const identityPolicy = (selectors: readonly string[], options = ''): { yaml: string } => ({
  yaml: kcmpPolicy('identity', selectors, options),
});

const binaryFilter = (operator: string, value: string, more = ''): string =>
  `matchBinaries: [{ operator: ${operator}, values: ["${value}"]${more} }]`;

describe('forged identity', function () {
  this.timeout(60_000);
  before(needsRoot);
  let shop: Workshop;
  /** The program that policies leave out; root's. */
  let real: string;
  /** The same bytes, in a folder of the user's. */
  let own: string;
  let home: string;

  before(function () {
    shop = new Workshop();
    chmodSync(shop.folder, 0o755);
    home = join(shop.folder, 'home');
    mkdirSync(home);
    chownSync(home, NOBODY, NOBODY);
    mkdirSync(join(shop.folder, 'sbin'));
    real = join(shop.folder, 'sbin', 'real');
    own = join(home, 'own');
    execFileSync('cc', ['-O1', '-static', '-o', real, join(__dirname, 'programs', 'identity.c')]);
    copyFileSync(real, own);
    const { status } = spawnSync('setpriv', [...USER, 'unshare', '-Urm', 'true']);
    if (status === 0) return;
    if (process.env['REQUIRE_ALL'] === '1') throw new Error('these tests need user namespaces for every user');
    this.skip();
  });
  after(() => shop?.remove());

  /** Runs the command as the unprivileged user. */
  const runAsUser = (...command: readonly string[]): void => {
    const { status, stderr } = spawnSync('setpriv', [...USER, ...command], { encoding: 'utf8' });
    assert.equal(status, 0, `${command.join(' ')}: ${stderr}`);
  };
  /** Runs a script of the user as root of a new user namespace and a new mount namespace. */
  const runAsNamespaceRoot = (script: string): void => runAsUser('unshare', '-Urm', 'sh', '-ec', script);
  /** The user's program on the path of the real one, in a root of the user's own. */
  const makeJail = (): string => {
    const root = join(home, 'jail');
    mkdirSync(join(root, dirname(real)), { recursive: true });
    copyFileSync(own, join(root, real));
    return root;
  };

  async function collectTracepoints(tracer: Tracer, run: () => unknown): Promise<ProcessTracepointEvent[]> {
    const all = await collectEvents(tracer, run);
    assertNoLoss(all);
    return all.filter(isTracepoint);
  }

  const traceKcmp = (source: { yaml: string }, run: () => unknown): Promise<ProcessTracepointEvent[]> =>
    tracePolicy(source, isTracepoint, run);

  const executables = (events: readonly ProcessTracepointEvent[]): [string, boolean][] =>
    events.map(({ process }) => [process.executable, process.binaryUntrusted]);

  const FORGERIES: readonly (readonly [name: string, run: () => void])[] = [
    ['chroot in a user namespace', () => runAsUser('unshare', '-Ur', 'chroot', makeJail(), real, 'call')],
    [
      'a tmpfs over its folder',
      () => runAsNamespaceRoot(`mount -t tmpfs none ${dirname(real)}; cp ${own} ${real}; exec ${real} call`),
    ],
    ['a bind mount over the file', () => runAsNamespaceRoot(`mount --bind ${own} ${real}; exec ${real} call`)],
    [
      'a bind mount over its folder',
      () => runAsNamespaceRoot(`mount --bind ${join(makeJail(), dirname(real))} ${dirname(real)}; exec ${real} call`),
    ],
    [
      'an overlay over its folder',
      () => {
        const options = `lowerdir=${join(makeJail(), dirname(real))}:${dirname(real)}`;
        runAsNamespaceRoot(`mount -t overlay none -o ${options} ${dirname(real)}; exec ${real} call`);
      },
    ],
    [
      'a root of its own, by pivot_root',
      () => {
        const root = join(home, 'root');
        mkdirSync(root, { recursive: true });
        const fill = `mkdir -p ${root}/old ${root}${dirname(real)}; cp ${own} ${root}${real}`;
        runAsNamespaceRoot(`mount -t tmpfs none ${root}; ${fill}; cd ${root}; pivot_root . old; exec ${real} call`);
      },
    ],
    [
      'a pid namespace of its own',
      () => runAsUser('unshare', '-Urmpf', 'sh', '-ec', `mount --bind ${own} ${real}; exec ${real} call`),
    ],
    ['a child that executes nothing', () => runAsNamespaceRoot(`mount --bind ${own} ${real}; exec ${real} fork`)],
  ];

  for (const [name, run] of FORGERIES) {
    it(`NotIn holds for the real file only: ${name}`, async () => {
      assert.deepEqual(executables(await traceKcmp(identityPolicy([binaryFilter('NotIn', real)]), run)), [[real, true]]);
    });
  }

  it('a process of the host that executes a file of a foreign mount namespace', async () => {
    const script = `mount -t tmpfs none ${dirname(real)}; cp ${own} ${real}; echo ready; read -r _`;
    const child = spawn('setpriv', [...USER, 'unshare', '-Urm', 'sh', '-ec', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    try {
      const run = (): void => runAsUser(`/proc/${child.pid}/root${real}`, 'call');
      assert.deepEqual(executables(await traceKcmp(identityPolicy([binaryFilter('NotIn', real)]), run)), [[real, true]]);
    } finally {
      child.stdin.end();
      await once(child, 'exit');
    }
  });

  it('a memfd that has the name', async () => {
    const run = (): void => runAsUser(own, 'memfd', 'sbin/real', own, 'call');
    const events = await traceKcmp(identityPolicy([binaryFilter('NotPostfix', 'sbin/real')]), run);
    assert.deepEqual(executables(events), [['/memfd:sbin/real', true]]);
  });

  it('prefixes and postfixes', async () => {
    const run = (): void => runAsNamespaceRoot(`mount --bind ${own} ${real}; exec ${real} call`);
    for (const filter of [binaryFilter('NotPrefix', `${dirname(real)}/`), binaryFilter('NotPostfix', '/sbin/real')]) {
      assert.deepEqual(executables(await traceKcmp(identityPolicy([filter]), run)), [[real, true]], filter);
    }
  });

  const GENUINE: readonly (readonly [name: string, run: () => void])[] = [
    ['as it is', () => runAsUser(real, 'call')],
    ['in a user namespace', () => runAsUser('unshare', '-Ur', real, 'call')],
    ['in a private copy of the mount tree', () => runAsNamespaceRoot(`exec ${real} call`)],
    [
      'where its folder is mounted on itself, as for services with ProtectSystem',
      () => runAsNamespaceRoot(`mount --bind ${dirname(real)} ${dirname(real)}; exec ${real} call`),
    ],
    ['a child that executes nothing', () => runAsUser(real, 'fork')],
  ];

  for (const [name, run] of GENUINE) {
    it(`the real file is left out: ${name}`, async () => {
      const tracer = await openTracer({ policies: [identityPolicy([binaryFilter('NotIn', real)])] });
      try {
        const all = await collectEvents(tracer, run);
        assert.deepEqual(all.filter(isTracepoint), []);
        const execs = all.filter((event) => event.type === 'process_exec' && event.process.executable === real);
        assert.deepEqual(
          execs.map((event) => event.type === 'process_exec' && event.process.binaryUntrusted),
          [false],
        );
      } finally {
        await tracer.close();
      }
    });
  }

  /** Waits for a line before it makes the call. */
  async function startWaiting(...command: readonly string[]): Promise<() => Promise<void>> {
    const child: ChildProcess = spawn('setpriv', [...USER, ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    return async () => {
      child.stdin?.end('go\n');
      await once(child, 'exit');
    };
  }

  it('processes that ran before the policy', async () => {
    const forged = await startWaiting('unshare', '-Ur', 'chroot', makeJail(), real, 'wait', 'call');
    const bound = await startWaiting('unshare', '-Urm', 'sh', '-ec', `mount --bind ${own} ${real}; exec ${real} wait call`);
    const genuine = await startWaiting(real, 'wait', 'call');
    const events = await traceKcmp(identityPolicy([binaryFilter('NotIn', real)]), async () => {
      for (const go of [forged, bound, genuine]) await go();
    });
    // /proc shows the path that the file has for this process
    assert.deepEqual(executables(events), [
      [join(makeJail(), real), false],
      [real, true],
    ]);
  });

  it('the real file, removed while it runs', async () => {
    const gone = join(shop.folder, 'sbin', 'gone');
    copyFileSync(real, gone);
    const before = await startWaiting(gone, 'wait', 'call');
    rmSync(gone);
    assert.deepEqual(executables(await traceKcmp(identityPolicy([binaryFilter('NotIn', gone)]), before)), []);
    // the same name in a root of the user's
    copyFileSync(own, join(makeJail(), gone));
    const forged = await startWaiting('unshare', '-Ur', 'chroot', makeJail(), gone, 'wait', 'call');
    rmSync(join(makeJail(), gone));
    assert.equal((await traceKcmp(identityPolicy([binaryFilter('NotIn', gone)]), forged)).length, 1);
  });

  it('followChildren: descendants of the real file only', async () => {
    const filter = binaryFilter('NotIn', real, ', followChildren: true');
    const events = await traceKcmp(identityPolicy([filter]), () => {
      runAsUser(real, 'run', own, 'call');
      runAsUser(real, 'run', '/usr/bin/unshare', '-Ur', own, 'call');
      runAsUser('unshare', '-Ur', 'chroot', makeJail(), real, 'run', real, 'call');
    });
    assert.deepEqual(executables(events), [[real, true]]);
  });

  it('matchParentBinaries', async () => {
    copyFileSync(own, join(makeJail(), 'own'));
    const filter = `matchParentBinaries: [{ operator: NotIn, values: ["${real}"] }]`;
    const events = await traceKcmp(identityPolicy([filter]), () => {
      runAsUser(real, 'run', own, 'call');
      runAsUser('unshare', '-Ur', 'chroot', makeJail(), real, 'run', '/own', 'call');
    });
    assert.deepEqual(executables(events), [['/own', true]]);
  });

  it('a selector with NoPost leaves out the real file only', async () => {
    const selectors = [`${binaryFilter('In', real)}\nmatchActions: [{ action: NoPost }]`, ''];
    const events = await traceKcmp(identityPolicy(selectors), () => {
      runAsUser(real, 'call');
      runAsUser('unshare', '-Ur', 'chroot', makeJail(), real, 'call');
    });
    assert.deepEqual(executables(events), [[real, true]]);
  });

  it('a selector that only reports keeps the real file from a later Sigkill, and nothing else', async () => {
    const kill = 'matchActions: [{ action: Sigkill }]';
    const reports: readonly (readonly [filter: string, ...forged: string[]])[] = [
      [binaryFilter('In', real), 'unshare', '-Ur', 'chroot', makeJail(), real, 'call'],
      [binaryFilter('Prefix', `${dirname(real)}/`), 'unshare', '-Ur', 'chroot', makeJail(), real, 'call'],
      [binaryFilter('In', real, ', followChildren: true'), 'unshare', '-Ur', 'chroot', makeJail(), real, 'fork'],
    ];
    for (const [filter, ...forged] of reports) {
      const tracer = await openTracer({ policies: [identityPolicy([filter, kill])], enforcement: true });
      try {
        const events = await collectTracepoints(tracer, () => {
          runAsUser(real, 'call');
          spawnSync('setpriv', [...USER, ...forged]);
          spawnSync('setpriv', [...USER, own, 'call']);
        });
        assert.deepEqual(
          events.map(({ process, selector, action }) => [process.executable, selector, action]),
          [
            [real, 0, 'post'],
            [real, 1, 'sigkill'],
            [own, 1, 'sigkill'],
          ],
          filter,
        );
      } finally {
        await tracer.close();
      }
    }
  });

  it('a selector that only reports matches the path where no later selector acts on the call', async () => {
    const never = 'matchPIDs: [{ operator: In, values: [1] }]\nmatchActions: [{ action: Sigkill }]';
    const tracer = await openTracer({ policies: [identityPolicy([binaryFilter('In', real), never])], enforcement: true });
    try {
      const events = await collectTracepoints(tracer, () => {
        runAsUser(real, 'call');
        runAsUser('unshare', '-Ur', 'chroot', makeJail(), real, 'call');
      });
      assert.deepEqual(executables(events), [
        [real, false],
        [real, true],
      ]);
    } finally {
      await tracer.close();
    }
  });

  it('In matches the path that the process sees', async () => {
    const events = await traceKcmp(identityPolicy([binaryFilter('In', real)]), () => {
      runAsUser(real, 'call');
      runAsUser('unshare', '-Ur', 'chroot', makeJail(), real, 'call');
    });
    assert.deepEqual(executables(events), [
      [real, false],
      [real, true],
    ]);
  });

  it('with trust-binary-paths the path alone counts, and the event still says what it is', async () => {
    const options = '{ name: trust-binary-paths, value: "true" }';
    const run = (): void => runAsUser('unshare', '-Ur', 'chroot', makeJail(), real, 'call');
    assert.deepEqual(await traceKcmp(identityPolicy([binaryFilter('NotIn', real)], options), run), []);
    const [event] = await traceKcmp(identityPolicy([''], options), run);
    const json = JSON.parse(polytrace.toJson(event as TracerEvent)) as Record<string, Record<string, unknown>>;
    const { binary, binary_untrusted: untrusted } = json['process_tracepoint']?.['process'] as Record<string, unknown>;
    assert.deepEqual([binary, untrusted], [real, true]);
  });
});
