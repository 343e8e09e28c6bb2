// What prebuilt addons are built for, and what they may need.

/** The Debian suite whose C library and C++ library prebuilt addons are compiled with. */
export const SUITE = 'bullseye';

/** The newest version of glibc's symbols that a prebuilt addon may need. */
export const GLIBC_FLOOR = '2.28';

/** By the name that Node.js has for the architecture. */
export const TARGETS = {
  x64: { debian: 'amd64', triple: 'x86_64-linux-gnu', machine: 'Advanced Micro Devices X86-64', musl: 'ld-musl-x86_64.so.1' },
  arm64: { debian: 'arm64', triple: 'aarch64-linux-gnu', machine: 'AArch64', musl: 'ld-musl-aarch64.so.1' },
};

/** The folder and the file of a prebuilt addon, as node-gyp-build finds it. It has no libc in its name: both load it. */
export const prebuiltFile = (arch) => `prebuilds/linux-${arch}/polytrace.node`;
