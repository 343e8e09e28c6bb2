/** The source that finds containers by the names of their cgroups. Ordinary folders serve as cgroups. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ContainerStore } from '../../../lib/containers/container-store.js';
import { CgroupSource } from '../../../lib/containers/sources/cgroups.js';

describe('the source of cgroups', () => {
  let mount: string;
  beforeEach(() => void (mount = mkdtempSync(join(tmpdir(), 'pt-cgroups-'))));
  afterEach(() => rmSync(mount, { recursive: true }));

  const cgroupFolder = (i: number): string => join(mount, `docker-${i.toString(16).padStart(64, '0')}.scope`);

  it('removes containers whose cgroups no longer exist, at most 500 in one sweep', async () => {
    const COUNT = 700;
    for (let i = 0; i < COUNT; i++) mkdirSync(cgroupFolder(i));
    const store = new ContainerStore();
    const source = new CgroupSource(mount);
    await source.start(store.add(source));
    assert.equal(store.size, COUNT);
    for (let i = 1; i < COUNT; i++) rmdirSync(cgroupFolder(i));
    source.sweep();
    assert.ok(store.size >= COUNT - 500 && store.size < COUNT, `${store.size} are left`);
    source.sweep();
    assert.deepEqual(
      store.containers().map(({ info }) => info.id),
      [(0).toString(16).padStart(64, '0')],
    );
    await source.stop();
  });
});
