// Writes THIRD-PARTY-NOTICES, which is in both npm packages and in the published image: each work of others that is linked or
// bundled, its licence, where its sources are, and how to link the addon again. What is linked comes from SOURCES and LINKED of
// the prebuilt addons.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LINKED } from '../prebuilds/sbom.mjs';
import { librarySources, sourceAddresses, SOURCES } from '../prebuilds/sources.mjs';
import { sysroot } from '../prebuilds/toolchain.mjs';
import { bundledSections, formatNotices, NOTICES } from './notices.mjs';

const IN_THE_PACKAGE = `The prebuilt addons (prebuilds/linux-*/polytrace.node) contain libbpf, libelf, zlib, zstd, and parts of the C and C++ runtime
libraries. Their sources are Debian's source packages, at the addresses below. With the package come the complete sources
of the addon and what builds it (CMakeLists.txt, cmake, native, bpf). To link the addon with a changed libelf:

  1. Install your libelf, with its header files and libelf.pc, where pkg-config finds it.
  2. Run "npm install --no-save node-addon-api node-api-headers" and "npx polytrace rebuild". The result in
     build/Release/polytrace.node is used instead of the prebuilt addon.
`;

const IN_THE_PUBLISHED_IMAGE = `The addon of the image (/opt/polytrace/prebuilds) contains libbpf, libelf, zlib, zstd, and parts of the C and C++ runtime
libraries. Their sources are Debian's source packages, at the addresses below. The npm package polytrace of the same
version has the complete sources of the addon. An image that deploy/Dockerfile of the repository builds links these
libraries at run time, so that each can be replaced. Other works in the image have their licences beside them:

  - npm packages: in their folder below /opt/polytrace/node_modules
  - packages of Debian: /usr/share/doc/PACKAGE/copyright. Debian has their sources: https://sources.debian.org
  - Node.js: /usr/share/doc/nodejs/LICENSE
`;

function linkedSection([name, { usedUnder, debian }]) {
  const source = SOURCES[name];
  if (source === undefined) {
    const text = readFileSync(join(sysroot('x64'), 'usr/share/doc', debian, 'copyright'), 'utf8');
    return { title: name, licence: usedUnder, texts: [text] };
  }
  const texts = source.texts.map((file) => readFileSync(join(librarySources(), name, file), 'utf8'));
  return { title: `${name} ${source.version}`, licence: usedUnder, addresses: sourceAddresses(source), texts };
}

const listSections = (root, withAgent) => [
  ...Object.entries(LINKED).map(linkedSection),
  ...bundledSections(root, withAgent),
];

/** Returns the notices of an image with a prebuilt addon, after `npm run build:ts`. */
export const prebuiltImageNotices = (root, withAgent) =>
  formatNotices(IN_THE_PUBLISHED_IMAGE, listSections(root, withAgent));

/** Writes the file, after `npm run build:ts`. The folder of the agent gets a copy, because its package is packed there. */
export function writeNotices(root) {
  const text = formatNotices(IN_THE_PACKAGE, listSections(root, true));
  for (const folder of [root, join(root, 'agent')]) if (existsSync(folder)) writeFileSync(join(folder, NOTICES), text);
}
