/** Finds what this process does not see of the machine: it runs in namespaces of its own, as in a container, or lacks capabilities. */
import type { HostGap } from '../../types/tracer.js';
import { capabilityBits, type Capability } from '../names/capabilities.js';
import { effectiveCapabilities } from '../native/preflight.js';
import { wholeHierarchy } from '../process/hierarchy.js';
import { isInHost } from '../process/proc-files.js';

/** The facts that the gaps follow from. */
export interface HostView {
  readonly isInHost: (kind: 'cgroup' | 'pid' | 'uts') => boolean;
  readonly hasCapability: (name: Capability) => boolean;
  readonly hierarchy: string | undefined;
  readonly nodeName: string | undefined;
}

export function hostGaps(view: HostView = actual()): readonly HostGap[] {
  const gaps: HostGap[] = [];
  if (!view.isInHost('pid')) {
    gaps.push({
      name: 'pid_namespace',
      meaning: 'this process has a pid namespace of its own, so processes that ran before the tracer are unknown',
      remedy: 'run the container with --pid=host (Kubernetes: hostPID: true)',
    });
  }
  if (!view.isInHost('cgroup')) {
    gaps.push({
      name: 'cgroup_namespace',
      meaning: 'this process has a cgroup namespace of its own, so containers that ran before the tracer are unknown',
      remedy: 'run the container with --cgroupns=host',
    });
  } else if (view.hierarchy === undefined) {
    gaps.push({
      name: 'cgroup_mount',
      meaning: 'the whole cgroup2 hierarchy is not mounted here, so containers that ran before the tracer are unknown',
      remedy: 'run the container with -v /sys/fs/cgroup:/sys/fs/cgroup:ro',
    });
  }
  if (view.nodeName === undefined && !view.isInHost('uts')) {
    gaps.push({
      name: 'host_name',
      meaning: 'this process has a host name of its own, so events name the container instead of the machine',
      remedy: 'run the container with --uts=host, or set NODE_NAME (-e NODE_NAME="$(hostname)")',
    });
  }
  for (const [capability, meaning] of CAPABILITIES) {
    if (view.hasCapability(capability)) continue;
    gaps.push({
      name: capability,
      meaning: `${capability} is missing, so ${meaning}`,
      remedy: `add it (a container: --cap-add=${capability.slice('CAP_'.length)})`,
    });
  }
  return gaps;
}

const CAPABILITIES = [
  ['CAP_SYS_PTRACE', 'the executable and the namespaces of processes that ran before the tracer are unknown'],
  ['CAP_DAC_READ_SEARCH', 'containers that ran before the tracer are unknown'],
] as const;

function actual(): HostView {
  const capabilities = effectiveCapabilities();
  return {
    isInHost,
    hasCapability: (name) => (capabilities & capabilityBits([name])) !== 0n,
    hierarchy: wholeHierarchy(),
    nodeName: process.env['NODE_NAME'],
  };
}
