/** Finds which parts of the machine this process does not see, because of its namespaces, mounts or missing capabilities. */
import type { HostLimitation } from '../../types/tracer.js';
import { capabilityBits, type Capability } from '../names/capabilities.js';
import { effectiveCapabilities } from '../native/preflight.js';
import { findCgroupMount } from '../process/cgroup-hierarchy.js';
import { isInHostNamespace } from '../process/proc-files.js';

/** The facts that decide the limitations. */
export interface HostView {
  readonly isInHost: (kind: 'cgroup' | 'pid' | 'uts') => boolean;
  readonly hasCapability: (name: Capability) => boolean;
  readonly hierarchy: string | undefined;
  readonly nodeName: string | undefined;
}

export function hostGaps(view: HostView = readHostView()): readonly HostLimitation[] {
  const limitations: HostLimitation[] = [];
  if (!view.isInHost('pid')) {
    limitations.push({
      name: 'pid_namespace',
      meaning: 'this process has a pid namespace of its own, so processes that ran before the tracer are unknown',
      remedy: 'run the container with --pid=host (Kubernetes: hostPID: true)',
    });
  }
  if (!view.isInHost('cgroup')) {
    limitations.push({
      name: 'cgroup_namespace',
      meaning: 'this process has a cgroup namespace of its own, so containers that ran before the tracer are unknown',
      remedy: 'run the container with --cgroupns=host',
    });
  } else if (view.hierarchy === undefined) {
    limitations.push({
      name: 'cgroup_mount',
      meaning: 'the whole cgroup2 hierarchy is not mounted here, so containers that ran before the tracer are unknown',
      remedy: 'run the container with -v /sys/fs/cgroup:/sys/fs/cgroup:ro',
    });
  }
  if (view.nodeName === undefined && !view.isInHost('uts')) {
    limitations.push({
      name: 'host_name',
      meaning: 'this process has a host name of its own, so events name the container instead of the machine',
      remedy: 'run the container with --uts=host, or set NODE_NAME (-e NODE_NAME="$(hostname)")',
    });
  }
  for (const [capability, meaning] of CAPABILITIES) {
    if (view.hasCapability(capability)) continue;
    limitations.push({
      name: capability,
      meaning: `${capability} is missing, so ${meaning}`,
      remedy: `add it (a container: --cap-add=${capability.slice('CAP_'.length)})`,
    });
  }
  return limitations;
}

const CAPABILITIES = [
  ['CAP_SYS_PTRACE', 'the executable and the namespaces of processes that ran before the tracer are unknown'],
  ['CAP_DAC_READ_SEARCH', 'containers that ran before the tracer are unknown'],
] as const;

function readHostView(): HostView {
  const capabilities = effectiveCapabilities();
  return {
    isInHost: isInHostNamespace,
    hasCapability: (name) => (capabilities & capabilityBits([name])) !== 0n,
    hierarchy: findCgroupMount(),
    nodeName: process.env['NODE_NAME'],
  };
}
