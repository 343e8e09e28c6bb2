/** Capabilities: their names and numbers. Source: linux/capability.h. */

/** In the order of the header. The index is the number of the capability and its bit in a mask. */
export const CAPABILITIES = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID',
  'CAP_SETPCAP', 'CAP_LINUX_IMMUTABLE', 'CAP_NET_BIND_SERVICE', 'CAP_NET_BROADCAST', 'CAP_NET_ADMIN', 'CAP_NET_RAW',
  'CAP_IPC_LOCK', 'CAP_IPC_OWNER', 'CAP_SYS_MODULE', 'CAP_SYS_RAWIO', 'CAP_SYS_CHROOT', 'CAP_SYS_PTRACE', 'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN', 'CAP_SYS_BOOT', 'CAP_SYS_NICE', 'CAP_SYS_RESOURCE', 'CAP_SYS_TIME', 'CAP_SYS_TTY_CONFIG', 'CAP_MKNOD',
  'CAP_LEASE', 'CAP_AUDIT_WRITE', 'CAP_AUDIT_CONTROL', 'CAP_SETFCAP', 'CAP_MAC_OVERRIDE', 'CAP_MAC_ADMIN', 'CAP_SYSLOG',
  'CAP_WAKE_ALARM', 'CAP_BLOCK_SUSPEND', 'CAP_AUDIT_READ', 'CAP_PERFMON', 'CAP_BPF', 'CAP_CHECKPOINT_RESTORE',
] as const; // prettier-ignore
export type Capability = (typeof CAPABILITIES)[number];

/** Names in the JSON export, where one has no prefix (enum CapabilitiesType of Tetragon's API). */
const EXPORT_NAMES = CAPABILITIES.map((name) => (name === 'CAP_DAC_OVERRIDE' ? 'DAC_OVERRIDE' : name));

/** Undefined for a name that does not exist. */
export function capabilityNumber(name: string): bigint | undefined {
  const number = (CAPABILITIES as readonly string[]).indexOf(name);
  return number < 0 ? undefined : BigInt(number);
}

/** A mask with a bit for each name. Every name must exist. */
export function capabilityBits(names: readonly string[]): bigint {
  return names.reduce((all, name) => all | (1n << (capabilityNumber(name) ?? 0n)), 0n);
}

/** Undefined for a number without a name: the kernel may be newer than this list. */
export function capabilityName(number: number): Capability | undefined {
  return CAPABILITIES[number];
}

/** The names of the bits of a mask, lowest first. Bits without a name are left out. */
export function capabilityNames(mask: bigint): Capability[] {
  return bitNames(mask, CAPABILITIES);
}

/** `capabilityName` in the spelling of the JSON export. */
export function exportCapabilityName(number: number): string | undefined {
  return EXPORT_NAMES[number];
}

/** `capabilityNames` in the spelling of the JSON export. */
export function exportCapabilityNames(mask: bigint): string[] {
  return bitNames(mask, EXPORT_NAMES);
}

function bitNames<T>(mask: bigint, names: readonly T[]): T[] {
  return names.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n);
}
