// Runs tests in a mount namespace without tracefs, debugfs and a BPF file system, as on a new machine. Such tests
// cannot rely on mounts of this machine, and leave no mounts behind.
import { spawnSync } from 'node:child_process';

const HIDDEN = 'tracefs|debugfs|bpf';

// the latest mount first, because a mount can cover another one
const UNMOUNT = String.raw`
tac /proc/self/mounts | while read -r _ target type _; do
  case "$type" in ${HIDDEN}) umount --lazy "$(printf '%b' "$target")" || exit 1 ;; esac
done || exit 1
exec "$@"`;

/** Returns the arguments of a command that runs `command` in a mount namespace of its own. */
export function inFreshMounts(command) {
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', UNMOUNT, 'sh', ...command];
}

/** Returns the reason if such a namespace cannot be created here, and else undefined. */
export function freshMountsObstacle() {
  const [file, ...args] = inFreshMounts(['true']);
  const { status, error, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (status === 0) return undefined;
  return `no mount namespace of its own: ${(error?.message ?? stderr).trim()}`;
}
