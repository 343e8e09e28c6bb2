// Finds the compiler for prebuilt addons.
import { existsSync } from 'node:fs';

/** Finds clang. The C++ compiler and the linker have to be of the same version. */
export function findPrebuildClang() {
  const version = [19, 20, 21, 22].find((each) => existsSync(`/usr/bin/clang++-${each}`) && existsSync(`/usr/bin/ld.lld-${each}`));
  if (!version) throw new Error('prebuilt addons: clang-19 or lld-19 is missing: bash scripts/setup.sh --packages');
  return `/usr/bin/clang-${version}`;
}
