// A mount namespace in which the kernel's own file systems are as on a new machine: nobody has mounted tracefs, debugfs or a
// BPF file system. Tests that run in it cannot rely on what somebody left mounted on this machine, and leave nothing mounted.
import { spawnSync } from 'node:child_process';

const HIDDEN = 'tracefs|debugfs|bpf';

// the latest mount first: one may lie on top of another
const UNMOUNT = String.raw`
tac /proc/self/mounts | while read -r _ target type _; do
  case "$type" in ${HIDDEN}) umount --lazy "$(printf '%b' "$target")" || exit 1 ;; esac
done || exit 1
exec "$@"`;

/** The words of a command that runs `command` in a mount namespace of its own. */
export function inFreshMounts(command) {
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', UNMOUNT, 'sh', ...command];
}

/** Why such a namespace is not possible here; undefined where it is. */
export function freshMountsObstacle() {
  const [file, ...args] = inFreshMounts(['true']);
  const { status, error, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (status === 0) return undefined;
  return `no mount namespace of its own: ${(error?.message ?? stderr).trim()}`;
}
