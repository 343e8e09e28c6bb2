/** Parses `cgroupsPath` of the OCI runtime specification. */

/**
 * Returns the path of the cgroup in the hierarchy. With the systemd driver, `cgroupsPath` is `SLICE:PREFIX:NAME`, and the slice
 * `a-b.slice` is in `a.slice`. Returns undefined for a relative path, because its parent cgroup is not known.
 */
export function parseCgroupsPath(cgroupsPath: string | undefined): string | undefined {
  if (cgroupsPath === undefined) return undefined;
  const parts = cgroupsPath.split(':');
  if (parts.length !== 3) return cgroupsPath.startsWith('/') ? cgroupsPath : undefined;
  const [slice = '', prefix = '', name = ''] = parts;
  const unit = name.endsWith('.slice') ? name : `${prefix === '' ? '' : `${prefix}-`}${name}.scope`;
  return `${slicePath(slice === '' ? 'system.slice' : slice)}/${unit}`;
}

function slicePath(slice: string): string {
  if (slice === '-.slice') return '';
  const names = slice.replace(/\.slice$/, '').split('-');
  return names.map((_, i) => `/${names.slice(0, i + 1).join('-')}.slice`).join('');
}
