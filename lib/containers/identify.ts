/** Identifies the container of a cgroup by the cgroup's path. Container runtimes name their cgroups after their containers. */
import type { Container } from '../../types/events.js';

/** Runtimes by the prefix of the name of a cgroup. The id follows the prefix. */
const RUNTIMES: Readonly<Record<string, string>> = {
  docker: 'docker',
  'cri-containerd': 'containerd',
  crio: 'cri-o',
  libpod: 'podman',
};

const ID = '[0-9a-f]{64}';
/** `docker-ID.scope` (systemd driver), `SLICE:docker:ID` (if systemd does not expand it), and `libpod-ID` (without systemd). */
const PREFIXED_ID = new RegExp(`(?:^|:)(${Object.keys(RUNTIMES).join('|')})[-:](${ID})(?:\\.scope)?$`);
/** The id alone: Docker, containerd and Kubernetes with the cgroupfs driver. */
const BARE_ID = new RegExp(`^${ID}$`);
const NSPAWN = /^(?:systemd-nspawn@(.+)\.service|machine-(.+)\.scope)$/;
const LXC = /^lxc\.payload[.-](.+)$/;
/** `pod<uid>` below `kubepods`, and `kubepods-burstable-pod<uid>.slice` of the systemd driver, with `_` instead of `-`. */
const POD =
  /^(?:kubepods(?:-[a-z]+)?-)?pod([0-9a-f]{8}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$/;
/** The manager of a user's own services. The user chooses the names below it. */
const USER_MANAGER = /^user@(\d{1,10})\.service$/;

/**
 * Returns the container of a cgroup by the path from the root of the hierarchy; undefined if the cgroup belongs to none. It is the
 * outermost container of the path, because root in a container can give any name to a cgroup inside.
 */
export function identifyContainer(path: string): Container | undefined {
  return locateContainer(path)?.container;
}

/** Also returns the path of the container's own cgroup. The cgroup of a process can be further inside. */
export function locateContainer(path: string): { readonly container: Container; readonly path: string } | undefined {
  let owner: number | undefined;
  let podUid: string | undefined;
  let above = '';
  let length = -1;
  for (const name of path.split('/')) {
    length += name.length + 1;
    podUid ??= POD.exec(name.split(':', 1)[0] as string)?.[1]?.replaceAll('_', '-');
    const found = matchCgroupName(name, above);
    if (found !== undefined) {
      const container = Object.freeze({
        ...found,
        ...(podUid === undefined ? {} : { podUid }),
        ...(owner === undefined ? {} : { owner }),
      });
      return { container, path: path.slice(0, length) };
    }
    const user = USER_MANAGER.exec(name)?.[1];
    if (user !== undefined) owner ??= Number(user);
    above = name;
  }
  return undefined;
}

function matchCgroupName(name: string, above: string): Container | undefined {
  const [, prefix = '', id] = PREFIXED_ID.exec(name) ?? [];
  if (id !== undefined) return { id, runtime: RUNTIMES[prefix] as string };
  if (BARE_ID.test(name)) return above === 'docker' ? { id: name, runtime: 'docker' } : { id: name };
  const [, service, scope] = NSPAWN.exec(name) ?? [];
  const machine = service ?? scope;
  // libvirt uses these names for virtual machines; the kernel of the host does not see their processes
  if (machine !== undefined) return machine.startsWith('qemu') ? undefined : { id: machine, runtime: 'systemd-nspawn' };
  const lxc = LXC.exec(name)?.[1];
  return lxc === undefined ? undefined : { id: lxc, runtime: 'lxc' };
}
