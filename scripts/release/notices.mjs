// Writes THIRD-PARTY-NOTICES, which is in both packages and in the image: each work of others that is linked or bundled, its
// licence, where its sources are, and how to link the addon again. The list comes from what is built: SOURCES and LINKED of the
// prebuilt addons, the source maps of the bundles, and the first comment of the report's script.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LINKED } from '../prebuilds/sbom.mjs';
import { librarySources, sourceAddresses, SOURCES } from '../prebuilds/sources.mjs';
import { sysroot } from '../prebuilds/toolchain.mjs';

const NOTICES = 'THIRD-PARTY-NOTICES';
const RULE = `${'='.repeat(100)}\n`;
const BUNDLES = ['dist/index.js.map', 'dist/cli/main.js.map'];
const PAGE = 'agent/dist/page/report.js';

const INTRODUCTION = `Works of others in polytrace

polytrace itself is under Apache-2.0 (LICENSE). Its BPF programs are under BSD-2-Clause or GPL-2.0-only (bpf/LICENSE).

The prebuilt addons (prebuilds/linux-*/polytrace.node) contain libbpf, libelf, zlib, and parts of the C and C++ runtime
libraries. Their sources are Debian's source packages, at the addresses below. With the package come the complete sources
of the addon and what builds it (CMakeLists.txt, cmake, native, bpf). To link the addon with a changed libelf:

  1. Install your libelf, with its header files and libelf.pc, where pkg-config finds it.
  2. Run "npm install --no-save node-addon-api node-api-headers" and "npx polytrace rebuild". The result in
     build/Release/polytrace.node is used instead of the prebuilt addon.
`;

/** The names of the packages that a bundle contains, from its source map. */
export function bundledPackages(map) {
  const names = map.sources.map((file) => /.*\bnode_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

/** Reads the licence of an npm package. Throws if it has none, so that a release stops. */
export function packageLicence(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((each) => /^(licen[cs]e|copying)/i.test(each));
  if (file === undefined) throw new Error(`${NOTICES}: ${name} ${version} (${license}) has no file with its licence`);
  return { title: `${name} ${version}`, licence: license, texts: [readFileSync(join(folder, file), 'utf8')] };
}

function linkedSection([name, { usedUnder, debian }]) {
  const source = SOURCES[name];
  if (source === undefined) {
    const text = readFileSync(join(sysroot('x64'), 'usr/share/doc', debian, 'copyright'), 'utf8');
    return { title: name, licence: usedUnder, texts: [text] };
  }
  const texts = source.texts.map((file) => readFileSync(join(librarySources(), name, file), 'utf8'));
  return { title: `${name} ${source.version}`, licence: usedUnder, addresses: sourceAddresses(source), texts };
}

function formatSection({ title, licence, addresses = [], texts }, seen) {
  const head = [title, `Licence: ${licence}`, ...addresses.map((each) => `Sources: ${each}`)].join('\n');
  const bodies = texts.map((text) => {
    const first = seen.get(text);
    if (first !== undefined) return `The licence is the one of ${first}.`;
    seen.set(text, title);
    return text.trim();
  });
  return `${RULE}${head}\n\n${bodies.join('\n\n')}\n`;
}

/** Returns the text for the checkout in `root`, after `npm run build:ts`. */
function thirdPartyNotices(root) {
  const packages = BUNDLES.flatMap((file) => bundledPackages(JSON.parse(readFileSync(join(root, file), 'utf8'))));
  const names = [...new Set([...packages, 'node-addon-api'])];
  const page = /^\/\*!\n([\s\S]*?)\n?\*\//.exec(readFileSync(join(root, PAGE), 'utf8'))?.[1];
  if (page === undefined) throw new Error(`${NOTICES}: ${PAGE} does not begin with its licences`);
  const sections = [
    ...Object.entries(LINKED).map(linkedSection),
    ...names.map((name) => packageLicence(join(root, 'node_modules', name))),
    { title: 'The page of reports (polytrace-agent)', licence: 'MIT', texts: [page] },
  ];
  const seen = new Map();
  return [INTRODUCTION, ...sections.map((each) => formatSection(each, seen))].join('\n');
}

/** Writes the file. The folder of the agent gets a copy, because its package is packed there. */
export function writeNotices(root) {
  const text = thirdPartyNotices(root);
  for (const folder of [root, join(root, 'agent')]) if (existsSync(folder)) writeFileSync(join(folder, NOTICES), text);
}
