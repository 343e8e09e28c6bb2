/** Ways around policies: mounts, and files that are known by their handles alone. */
import {
  CHECK_EXEC,
  CHMOD,
  COLD_FOLDER,
  DISK,
  DISK_FOLDER,
  DISK_PROGRAM,
  EMPTY,
  EXAMPLE,
  FAKE,
  JOB,
  JOB_NAME,
  JOBS,
  LAYER,
  LOOPBACK,
  MAP,
  MOVE_MOUNT,
  NEW_MOUNT,
  PRIVATE_ADDRESS,
  PUBLIC_ADDRESS,
  READ,
  reportBy,
  READERS,
  SECRET_NAME,
  SHELL,
  TARGET,
  TEMPORARY,
  UPSTREAM,
  WRITERS,
  type Way,
} from './policy-evasion-rows.js';

/** The policies that report a mount over files, and those that report another path of files. */
const COVER_REPORTERS = [EXAMPLE, 'file-integrity', 'persistence'];
const OTHER_PATH_REPORTERS = [...COVER_REPORTERS, 'credentials'];

const HAS_MOUNT_HOOKS = 'The hooks on mounts of `policies/file-monitoring.yaml` close this.';
const OTHER_PATH = 'A list of allowed programs (`NotIn`) closes this, because it goes by the file.';

export const HANDLES: Way = {
  name: 'file handle',
  attacks: [
    {
      title: 'reads a file by its handle, whose name is not in memory',
      action: ['cold', COLD_FOLDER, 'cgroup.procs', 'read'],
      reports: reportBy(READERS, READ),
    },
    {
      title: 'writes such a file',
      action: ['cold', COLD_FOLDER, 'cgroup.max.depth', 'write'],
      reports: reportBy(WRITERS, READ),
    },
    {
      title: 'writes such a file in a container',
      action: ['pidns', 'cold', COLD_FOLDER, 'cgroup.max.descendants', 'write'],
      reports: { ...reportBy(WRITERS, READ), 'container-escape': [READ] },
    },
    {
      title: 'gives such a file a set-user-id bit',
      action: ['cold', COLD_FOLDER, 'cgroup.type', 'chmod'],
      reports: reportBy(['file-integrity', 'privilege-escalation'], CHMOD),
    },
    {
      title: 'executes such a file, which connects',
      action: ['coldexec', DISK, DISK_FOLDER, DISK_PROGRAM, 'connect', PRIVATE_ADDRESS],
      reports: {
        ...reportBy(READERS, READ),
        credentials: [READ, MAP],
        egress: ['tcp_connect'],
        ...reportBy(['memory-files', 'package-managers'], CHECK_EXEC),
      },
      lacks: { '6.1': 'mount: No such device', newest: 'mount: No such device' },
    },
  ],
  excluded: { kernel: 'it compares no path' },
};

export const DESCRIPTORS: Way = {
  name: 'fsopen',
  attacks: [
    {
      title: 'attaches a file system over a folder of jobs, and writes there',
      action: ['mounts', 'fsmount', JOBS, `${JOBS}/job`],
      reports: { ...reportBy(WRITERS, READ, MOVE_MOUNT), [UPSTREAM]: [READ] },
    },
    {
      title: 'writes a job into a file system, and then attaches it over the folder of jobs',
      action: ['mounts', 'filled', JOBS, 'job'],
      reports: reportBy(COVER_REPORTERS, MOVE_MOUNT),
      open: { [UPSTREAM]: HAS_MOUNT_HOOKS },
    },
    {
      title: 'does this in a container',
      action: ['mounts', 'pidns', 'filled', JOBS, 'job'],
      reports: {
        ...reportBy(COVER_REPORTERS, MOVE_MOUNT),
        'container-escape': [NEW_MOUNT, MOVE_MOUNT],
      },
      open: { [UPSTREAM]: HAS_MOUNT_HOOKS },
    },
    {
      title: 'uses a file system in a container that is attached nowhere',
      action: ['pidns', 'detached', 'file'],
      reports: { 'container-escape': [NEW_MOUNT] },
    },
    {
      title: 'reads a secret in a copy of the mount that is attached nowhere',
      action: ['tree', '/etc', SECRET_NAME],
      reports: reportBy(OTHER_PATH_REPORTERS, LOOPBACK),
      open: { [UPSTREAM]: HAS_MOUNT_HOOKS },
    },
    {
      title: 'writes a job in such a copy, in a container',
      action: ['pidns', 'treewrite', '/etc', JOB_NAME],
      reports: reportBy([...OTHER_PATH_REPORTERS, 'container-escape'], LOOPBACK),
      open: { [UPSTREAM]: HAS_MOUNT_HOOKS },
    },
    {
      title: 'reads a secret in an overlay that is attached nowhere',
      action: ['fsoverlay', '/etc', EMPTY, SECRET_NAME],
      reports: reportBy(OTHER_PATH_REPORTERS, LAYER),
      open: { [UPSTREAM]: HAS_MOUNT_HOOKS },
      lacks: { newest: 'fsopen: No such device' },
    },
    {
      title: 'writes core_pattern in a proc that is attached nowhere, in a container',
      action: ['pidns', 'procwrite', 'sys/kernel/core_pattern'],
      reports: { 'container-escape': [NEW_MOUNT, READ] },
    },
    {
      title: 'executes a program in a file system that is attached nowhere',
      action: ['detachedexec', 'program'],
      reports: { 'memory-files': [CHECK_EXEC] },
    },
    {
      title: 'the same with the name of a package manager',
      action: ['detachedexec', 'dpkg'],
      reports: reportBy(['memory-files', 'package-managers'], CHECK_EXEC),
    },
    {
      title: 'a shell that is attached nowhere connects to a private address',
      action: ['detachedshell', 'connect', PRIVATE_ADDRESS],
      reports: { 'memory-files': [CHECK_EXEC] },
      open: { egress: OTHER_PATH },
    },
    {
      title: 'a shell that is attached nowhere connects to a public address',
      action: ['detachedshell', 'connect', PUBLIC_ADDRESS],
      reports: { 'memory-files': [CHECK_EXEC], egress: ['tcp_connect'] },
    },
  ],
  excluded: {
    kernel: 'it hooks no mount and compares no path',
    'privilege-escalation': 'it compares no path',
  },
};

export const PROGRAM_MOUNT: Way = {
  name: 'mount(8)',
  attacks: [
    {
      title: 'mounts a file system over a folder of jobs, in a container',
      action: ['mounts', 'pidns', 'mount8', '-t', 'tmpfs', 'none', JOBS, ','],
      reports: {
        ...reportBy(COVER_REPORTERS, MOVE_MOUNT),
        'container-escape': [NEW_MOUNT, MOVE_MOUNT],
      },
      open: { [UPSTREAM]: HAS_MOUNT_HOOKS },
    },
    {
      title: 'binds a file over a job, in a container',
      action: ['mounts', 'pidns', 'mount8', '--bind', FAKE, JOB, ','],
      reports: {
        ...reportBy(COVER_REPORTERS, MOVE_MOUNT),
        'container-escape': [LOOPBACK, MOVE_MOUNT],
      },
      open: { [UPSTREAM]: HAS_MOUNT_HOOKS },
    },
    {
      title: 'binds /etc to another folder, and reads a secret there',
      action: ['mounts', 'mount8', '--bind', '/etc', TARGET, ',', 'read', `${TARGET}/${SECRET_NAME}`],
      reports: reportBy(OTHER_PATH_REPORTERS, LOOPBACK),
      open: { [UPSTREAM]: HAS_MOUNT_HOOKS },
    },
    {
      title: 'binds /etc to another folder, and writes a job there',
      action: ['mounts', 'mount8', '--bind', '/etc', TARGET, ',', 'write', `${TARGET}/${JOB_NAME}`],
      reports: reportBy(OTHER_PATH_REPORTERS, LOOPBACK),
      open: { [UPSTREAM]: HAS_MOUNT_HOOKS },
    },
    {
      title: 'mounts a file system on another folder, and executes a program there',
      action: ['mounts', 'mount8', '-t', 'tmpfs', 'none', TARGET, ',', 'copyexec', `${TARGET}/program`],
      reports: { 'memory-files': [CHECK_EXEC] },
    },
    {
      title: 'binds a shell to another file, which connects to a private address',
      action: ['mounts', 'mount8', '--bind', SHELL, FAKE, ',', 'again', FAKE, 'connect', PRIVATE_ADDRESS],
      shell: true,
      reports: reportBy([EXAMPLE, 'file-integrity'], LOOPBACK),
      open: { egress: OTHER_PATH },
    },
    {
      title: 'binds a shell to another file, which connects to a public address',
      action: ['mounts', 'mount8', '--bind', SHELL, FAKE, ',', 'again', FAKE, 'connect', PUBLIC_ADDRESS],
      shell: true,
      reports: { ...reportBy([EXAMPLE, 'file-integrity'], LOOPBACK), egress: ['tcp_connect'] },
    },
    {
      title: 'binds a package manager to another file',
      action: ['mounts', 'mount8', '--bind', '/usr/bin/dpkg', FAKE, ',', 'program', FAKE, '--version'],
      reports: reportBy([EXAMPLE, 'file-integrity'], LOOPBACK),
      open: { 'package-managers': OTHER_PATH },
    },
    {
      title: 'binds a program in a temporary folder to another file',
      action: ['mounts', 'mount8', '--bind', TEMPORARY, FAKE, ',', 'program', FAKE],
      reports: { 'memory-files': [CHECK_EXEC] },
    },
  ],
  excluded: {
    kernel: 'it hooks no mount and compares no path',
    'privilege-escalation': 'it compares no path',
  },
};
