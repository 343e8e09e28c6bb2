// The targets of prebuilt addons, and the limits of their dependencies.

/** The Debian suite whose C and C++ libraries are used to compile prebuilt addons. */
export const SUITE = 'bullseye';

/** The newest version of glibc's symbols that a prebuilt addon may need. */
export const GLIBC_FLOOR = '2.28';

/** Targets by the architecture name of Node.js. */
export const TARGETS = {
  x64: { debian: 'amd64', triple: 'x86_64-linux-gnu', machine: 'Advanced Micro Devices X86-64', musl: 'ld-musl-x86_64.so.1' },
  arm64: { debian: 'arm64', triple: 'aarch64-linux-gnu', machine: 'AArch64', musl: 'ld-musl-aarch64.so.1' },
};

/**
 * Path of a prebuilt addon, as node-gyp-build expects it. The name has no libc, because glibc and musl both load the
 * file.
 */
export const prebuiltFile = (arch) => `prebuilds/linux-${arch}/polytrace.node`;
