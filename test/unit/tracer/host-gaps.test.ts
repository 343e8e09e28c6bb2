/** The gaps in the view of the host for a tracer in a container. */
import assert from 'node:assert/strict';
import { hostGaps, type HostView } from '../../../lib/tracer/host-gaps.js';

describe('gaps in the view of the host', () => {
  const HOST: HostView = {
    isInHost: () => true,
    hasCapability: () => true,
    hierarchy: '/sys/fs/cgroup',
    nodeName: undefined,
  };
  const isInHostExcept =
    (...kinds: readonly string[]): HostView['isInHost'] =>
    (kind) =>
      !kinds.includes(kind);

  const CASES: [what: string, changes: Partial<HostView>, expected: Record<string, string>][] = [
    ['a host has none', {}, {}],
    ['a pid namespace', { isInHost: isInHostExcept('pid') }, { pid_namespace: '--pid=host' }],
    [
      'a cgroup namespace',
      { isInHost: isInHostExcept('cgroup'), hierarchy: undefined },
      { cgroup_namespace: '--cgroupns=host' },
    ],
    ['cgroups that are not mounted', { hierarchy: undefined }, { cgroup_mount: '-v /sys/fs/cgroup:/sys/fs/cgroup:ro' }],
    ['a host name', { isInHost: isInHostExcept('uts') }, { host_name: '--uts=host' }],
    ['a host name, and NODE_NAME', { isInHost: isInHostExcept('uts'), nodeName: 'worker-1' }, {}],
    [
      'no capability',
      { hasCapability: () => false },
      { CAP_SYS_PTRACE: '--cap-add=SYS_PTRACE', CAP_DAC_READ_SEARCH: '--cap-add=DAC_READ_SEARCH' },
    ],
    [
      'an ordinary container',
      { isInHost: () => false, hierarchy: undefined },
      { pid_namespace: '--pid=host', cgroup_namespace: '--cgroupns=host', host_name: 'NODE_NAME' },
    ],
  ];
  for (const [what, changes, expected] of CASES) {
    it(what, () => {
      const gaps = hostGaps({ ...HOST, ...changes });
      assert.deepEqual(
        gaps.map(({ name }) => name),
        Object.keys(expected),
      );
      for (const { name, remedy } of gaps) assert.ok(remedy.includes(expected[name] as string), remedy);
    });
  }
});
