/** Identifies the container in the path of a cgroup. */
import assert from 'node:assert/strict';
import { identifyContainer } from '../../../lib/containers/identify.js';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const UID = '6ed7a2f8-6b4e-4a5c-9d0e-0123456789ab';
const UNDERSCORES = UID.replaceAll('-', '_');

const PATHS: [what: string, path: string, container: object | undefined][] = [
  ['Docker, systemd driver', `/system.slice/docker-${A}.scope`, { id: A, runtime: 'docker' }],
  ['Docker, cgroupfs driver', `/docker/${A}`, { id: A, runtime: 'docker' }],
  ['Podman, systemd', `/machine.slice/libpod-${A}.scope`, { id: A, runtime: 'podman' }],
  ['Podman, below its scope', `/machine.slice/libpod-${A}.scope/container`, { id: A, runtime: 'podman' }],
  ['Podman, cgroupfs', `/libpod_parent/libpod-${A}`, { id: A, runtime: 'podman' }],
  [
    'Podman without root',
    `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${A}.scope/container`,
    { id: A, runtime: 'podman', owner: 1000 },
  ],
  [
    'containerd in Kubernetes, systemd driver',
    `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UNDERSCORES}.slice/cri-containerd-${A}.scope`,
    { id: A, runtime: 'containerd', podUid: UID },
  ],
  [
    'containerd in Kubernetes, guaranteed',
    `/kubepods.slice/kubepods-pod${UNDERSCORES}.slice/cri-containerd-${A}.scope`,
    { id: A, runtime: 'containerd', podUid: UID },
  ],
  ['Kubernetes, cgroupfs driver', `/kubepods/burstable/pod${UID}/${A}`, { id: A, podUid: UID }],
  [
    'a static pod: its uid is a digest',
    `/kubepods/besteffort/pod0123456789abcdef0123456789abcdef/${A}`,
    { id: A, podUid: '0123456789abcdef0123456789abcdef' },
  ],
  [
    'CRI-O',
    `/kubepods.slice/kubepods-pod${UNDERSCORES}.slice/crio-${A}.scope`,
    { id: A, runtime: 'cri-o', podUid: UID },
  ],
  [
    'the form of the systemd driver where systemd does not expand it',
    `/kubepods-pod${UNDERSCORES}.slice:cri-containerd:${A}`,
    { id: A, runtime: 'containerd', podUid: UID },
  ],
  [
    'systemd-nspawn as a service',
    '/machine.slice/systemd-nspawn@web.service/payload',
    { id: 'web', runtime: 'systemd-nspawn' },
  ],
  ['systemd-nspawn as a scope', '/machine.slice/machine-web.scope', { id: 'web', runtime: 'systemd-nspawn' }],
  ['LXC', '/lxc.payload.web/init.scope', { id: 'web', runtime: 'lxc' }],
  ['containerd without Kubernetes', `/default/${A}`, { id: A }],
  // Inside a container, any user can choose any name.
  ['a name inside of a container', `/docker/${A}/docker-${B}.scope`, { id: A, runtime: 'docker' }],
  ['Kubernetes in Docker', `/docker/${A}/kubelet/kubepods/pod${UID}/${B}`, { id: A, runtime: 'docker' }],
  // These paths are not containers.
  ['the root', '/', undefined],
  ['a service', '/system.slice/ssh.service', undefined],
  ['a pod, but none of its containers', `/kubepods.slice/kubepods-pod${UNDERSCORES}.slice`, undefined],
  ["Podman's monitor, on the host", `/machine.slice/libpod-conmon-${A}.scope`, undefined],
  ["CRI-O's monitor, on the host", `/system.slice/crio-conmon-${A}.scope`, undefined],
  ['a virtual machine of libvirt', '/machine.slice/machine-qemu\\x2d1\\x2dweb.scope', undefined],
  ['too few digits', `/docker/${'a'.repeat(63)}`, undefined],
  ['no digits', `/system.slice/docker-${'g'.repeat(64)}.scope`, undefined],
  ['an empty path', '', undefined],
];

describe('container of a cgroup', () => {
  for (const [what, path, expected] of PATHS) {
    it(what, () => assert.deepEqual(identifyContainer(path), expected));
  }

  it('takes time in proportion to the length of hostile names', () => {
    const started = performance.now();
    for (const unit of ['docker-', 'pod0', 'systemd-nspawn@', '/a', ':docker:', '-pod']) {
      assert.equal(identifyContainer(unit.repeat(Math.ceil(4096 / unit.length))), undefined);
    }
    assert.ok(performance.now() - started < 2000);
  });
});
