/** The source that finds containers by the names of their cgroups. Folders of the test stand for cgroups. */
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

  it('forgets containers whose cgroups are gone, at most 500 in one sweep', async () => {
    const COUNT = 700;
    for (let i = 0; i < COUNT; i++) mkdirSync(cgroupFolder(i));
    const directory = new ContainerStore();
    const source = new CgroupSource(mount);
    await source.start(directory.add(source));
    assert.equal(directory.size, COUNT);
    for (let i = 1; i < COUNT; i++) rmdirSync(cgroupFolder(i));
    source.sweep();
    assert.ok(directory.size >= COUNT - 500 && directory.size < COUNT, `${directory.size} are left`);
    source.sweep();
    assert.deepEqual(
      directory.containers().map(({ info }) => info.id),
      [(0).toString(16).padStart(64, '0')],
    );
    await source.stop();
  });
});
