/** The cache of cgroups and their containers. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cgroups } from '../../../lib/containers/cgroups.js';

const ID = 'a'.repeat(64);

describe('cgroups', () => {
  it('needs no lookup for a cgroup that the kernel reported', () => {
    const cgroups = new Cgroups('/nowhere', () => assert.fail('it was looked up'));
    cgroups.onCreated(7n, `/docker/${ID}`);
    assert.deepEqual(cgroups.findContainer(7n), { id: ID, runtime: 'docker' });
  });

  it('looks up every other cgroup once', () => {
    const asked: bigint[] = [];
    const cgroups = new Cgroups('/nowhere', (id) => {
      asked.push(id);
      return id === 1n ? `/docker/${ID}` : id === 2n ? '/system.slice' : undefined;
    });
    for (let i = 0; i < 2; i++) {
      assert.equal(cgroups.findContainer(1n)?.id, ID);
      assert.equal(cgroups.findContainer(2n), undefined);
      assert.equal(cgroups.findContainer(3n), undefined);
      assert.equal(cgroups.findContainer(0n), undefined);
    }
    assert.deepEqual(asked, [1n, 2n, 3n]);
  });

  it('caches at most 65,536 cgroups', () => {
    let asked = 0;
    const cgroups = new Cgroups('/nowhere', () => {
      asked++;
      return undefined;
    });
    for (let id = 1n; id <= 65_537n; id++) cgroups.onCreated(id, '/');
    cgroups.findContainer(65_537n);
    assert.equal(asked, 0);
    cgroups.findContainer(1n);
    assert.equal(asked, 1);
  });

  it('the id of a cgroup is the inode number of its folder', () => {
    const mount = mkdtempSync(join(tmpdir(), 'polytrace-'));
    try {
      mkdirSync(join(mount, 'a'));
      const cgroups = new Cgroups(mount);
      assert.equal(cgroups.findId('/a'), statSync(join(mount, 'a'), { bigint: true }).ino);
      assert.equal(cgroups.findId('/b'), 0n);
      assert.equal(cgroups.findId(undefined), 0n);
      assert.equal(new Cgroups().findId('/a'), 0n);
    } finally {
      rmSync(mount, { recursive: true });
    }
  });
});
