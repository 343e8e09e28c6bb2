/** Finds the mount point of the cgroup hierarchy. */
import assert from 'node:assert/strict';
import { findCgroupMount } from '../../../lib/process/cgroup-hierarchy.js';

describe('the unified hierarchy', () => {
  const isWhole = (): boolean => true;
  const mountLine = (root: string, point: string, type: string): string =>
    `41 31 0:38 ${root} ${point} rw,relatime shared:9 - ${type} rw`;
  const MOUNTS: [what: string, lines: string[], expected: string | undefined][] = [
    ['only version 2', [mountLine('/', '/sys/fs/cgroup', 'cgroup2 cgroup2')], '/sys/fs/cgroup'],
    [
      'both versions',
      [
        mountLine('/', '/sys/fs/cgroup/pids', 'cgroup cgroup'),
        mountLine('/', '/sys/fs/cgroup/unified', 'cgroup2 none'),
      ],
      '/sys/fs/cgroup/unified',
    ],
    ['only version 1', [mountLine('/', '/sys/fs/cgroup/pids', 'cgroup cgroup')], undefined],
    [
      'a part, then the complete hierarchy',
      [mountLine('/a', '/x', 'cgroup2 none'), mountLine('/', '/y\\040z', 'cgroup2 none')],
      '/y z',
    ],
    ['only a part', [mountLine('/a', '/x', 'cgroup2 none')], undefined],
    ['nothing', [''], undefined],
  ];
  for (const [what, lines, expected] of MOUNTS) {
    it(`is found: ${what}`, () =>
      assert.equal(
        findCgroupMount(() => lines.join('\n'), isWhole),
        expected,
      ));
  }
  it('is not visible from another cgroup namespace', () => {
    const mountLines = (): string => mountLine('/', '/sys/fs/cgroup', 'cgroup2 cgroup2');
    assert.equal(
      findCgroupMount(mountLines, () => false),
      undefined,
    );
  });
  it('is not found without /proc', () => {
    const mountLines = (): string => '';
    assert.equal(findCgroupMount(mountLines, isWhole), undefined);
  });
});
