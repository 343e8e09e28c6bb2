/** Sets of processes lose no process when the table of processes is full. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { kcmpPolicy } from '../syscall-policy.js';
import { heldKernelObjects } from './kernel-objects.js';
import { assertNoLoss, collectEvents, isTracepoint, needsRoot, openTracer, Workshop } from './support.js';

interface MapInfo {
  readonly id: number;
  readonly name?: string;
  readonly type: string;
  readonly max_entries: number;
  readonly bytes_value: number;
}

/** The maps that this process holds. Other processes of the machine may trace as well. */
function listOwnMaps(): MapInfo[] {
  const own = new Set(heldKernelObjects(process.pid));
  const all = JSON.parse(execFileSync('bpftool', ['map', 'show', '-j'], { encoding: 'utf8' })) as MapInfo[];
  return all.filter(({ id }) => own.has(`map ${id}`));
}

/** Entries of the map, as bpftool prints them. It fails if an entry goes while it reads the map: then it reads it again. */
function dumpMap({ id }: MapInfo): string {
  for (let tries = 1; ; tries++) {
    const args = ['map', 'dump', 'id', String(id), '-j'];
    const { status, stdout, stderr } = spawnSync('bpftool', args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
    if (status === 0) return stdout;
    assert.ok(tries < 50, `bpftool ${args.join(' ')}: ${stdout.slice(-500)} ${stderr}`);
  }
}

/** The pids in the keys of process_states_more, whose first word is the length of the key. */
function readKeys(map: MapInfo): Set<number> {
  const entries = JSON.parse(dumpMap(map)) as { key: string[] }[];
  return new Set(entries.map(({ key }) => key.slice(4).reduce((pid, byte, i) => pid + Number(byte) * 256 ** i, 0)));
}

const countEntries = (map: MapInfo): number => dumpMap(map).match(/\{"key":\[/g)?.length ?? 0;

/** Adds pids above the kernel's limit until the map is full. */
function fillMap({ id, max_entries: entries, bytes_value: bytes }: MapInfo, file: string): void {
  const value = Array.from({ length: bytes }, () => '0').join(' ');
  const lines = Array.from({ length: entries }, (_, i) => {
    const pid = 0x500000 + i;
    const key = [pid & 255, (pid >> 8) & 255, (pid >> 16) & 255, pid >> 24].join(' ');
    return `map update id ${id} key ${key} value ${value}\n`;
  });
  writeFileSync(file, lines.join(''));
  // the last ones are refused where processes of the machine have entries
  spawnSync('bpftool', ['batch', 'file', file], { stdio: 'ignore' });
}

describe('the table of processes', function () {
  this.timeout(120_000);
  before(needsRoot);
  let shop: Workshop;
  let program: string;
  let other: string;

  before(() => {
    shop = new Workshop();
    program = join(shop.folder, 'program');
    other = join(shop.folder, 'other');
    execFileSync('cc', ['-O1', '-static', '-o', program, join(__dirname, 'programs', 'identity.c')]);
    copyFileSync(program, other);
  });
  after(() => shop?.remove());

  const namedPolicy = (name: string, filter: string): { yaml: string } => ({ yaml: kcmpPolicy(name, [filter]) });

  it('of paths has no room for a policy: it is refused with a code, and the policies before it go on', async () => {
    // the values of four of these exceed the capacity of the table
    const full = (name: string, number: number): { yaml: string } => {
      const paths = Array.from({ length: 16_500 }, (_, i) => `"/nowhere/${number}/${i}"`);
      return namedPolicy(name, `matchBinaries: [{ operator: In, values: ["${program}", ${paths.join(', ')}] }]`);
    };
    const first = [full('first', 1), full('second', 2), full('third', 3)];
    const small = namedPolicy('small', `matchBinaries: [{ operator: In, values: ["${program}"] }]`);
    const tracer = await openTracer({ policies: first });
    try {
      await assert.rejects(tracer.addPolicy(full('fourth', 4)), { code: 'LIMIT_PROCESS_VALUES', hint: /prefixes/ });
      await tracer.addPolicy(small);
      const events = await collectEvents(tracer, () => assert.equal(spawnSync(program, ['call']).status, 0));
      assert.deepEqual(
        events.filter(isTracepoint).map(({ policyName }) => policyName).sort(),
        ['first', 'second', 'small', 'third'],
      );
    } finally {
      await tracer.close();
    }
  });

  it('of states is full: changes are still seen, those of children too, and nothing is lost', async () => {
    const tracer = await openTracer({
      policies: [namedPolicy('changed', 'matchNamespaceChanges: [{ operator: In, values: [Uts] }]')],
    });
    try {
      const own = listOwnMaps();
      const table = own.find(({ name, type }) => name === 'process_states'.slice(0, 15) && type === 'hash') as MapInfo;
      const more = own.find(({ name, type }) => name === 'process_states_more'.slice(0, 15) && type === 'lpm_trie') as MapInfo;
      fillMap(table, join(shop.folder, 'states'));
      // some processes of the machine may end meanwhile
      assert.ok(countEntries(table) > table.max_entries - 100);
      const pids: number[] = [];
      const events = await collectEvents(tracer, () => {
        for (const args of [['call'], ['uts', 'call'], ['uts', 'fork'], ['fork']]) {
          const { status, pid } = spawnSync(program, args);
          assert.equal(status, 0);
          pids.push(pid);
        }
      });
      assertNoLoss(events);
      assert.deepEqual(
        events.filter(isTracepoint).map(({ process }) => process.argv.join(' ')),
        ['uts call', 'uts fork'],
      );
      // an entry ends with its process; others of the machine have entries as well
      const remainingPids = (): number[] => pids.filter((pid) => readKeys(more).has(pid));
      const deadline = Date.now() + 20_000;
      while (remainingPids().length > 0 && Date.now() < deadline) continue;
      assert.deepEqual(remainingPids(), []);
    } finally {
      await tracer.close();
    }
  });

  it('is full: members are still members, their children too, and nothing is lost', async () => {
    const tracer = await openTracer({
      policies: [
        namedPolicy('in', `matchBinaries: [{ operator: In, values: ["${program}"] }]`),
        namedPolicy('follow', `matchBinaries: [{ operator: In, values: ["${program}"], followChildren: true }]`),
        namedPolicy('not-in', `matchBinaries: [{ operator: NotIn, values: ["${program}"] }]`),
        namedPolicy('parent', `matchParentBinaries: [{ operator: In, values: ["${program}"] }]`),
      ],
    });
    try {
      const own = listOwnMaps();
      // names have 15 characters at most
      const findMap = (name: string): MapInfo => own.find((map) => map.name === name.slice(0, 15)) as MapInfo;
      const [table, more] = [findMap('process_bits'), findMap('process_bits_more')];
      fillMap(table, join(shop.folder, 'batch'));
      assert.equal(countEntries(table), table.max_entries);
      const pids = new Set<number>();
      const events = await collectEvents(tracer, () => {
        for (const command of [
          [program, 'call'],
          [program, 'run', other, 'call'],
          [other, 'call'],
        ]) {
          const { status, pid } = spawnSync(command[0] as string, command.slice(1));
          assert.equal(status, 0);
          pids.add(pid);
        }
      });
      assertNoLoss(events);
      for (const { process } of events.filter(isTracepoint)) {
        pids.add(process.pid);
      }
      assert.equal(pids.size, 4);
      assert.deepEqual(
        events.filter(isTracepoint).map((event) => [event.policyName, event.process.argv.join(' ')]).sort(),
        [
          ['follow', 'call'],
          ['follow', 'call'],
          ['in', 'call'],
          ['not-in', 'call'],
          ['not-in', 'call'],
          ['parent', 'call'],
        ],
      );
      // an entry ends with its process, which the kernel frees a moment later; others of the machine have entries as well
      const remainingPids = (): number[] => {
        const keys = readKeys(more);
        return [...pids].filter((pid) => keys.has(pid));
      };
      const deadline = Date.now() + 20_000;
      while (remainingPids().length > 0 && Date.now() < deadline) continue;
      assert.deepEqual(remainingPids(), []);
    } finally {
      await tracer.close();
    }
  });
});
