// The notices of what is bundled: each npm package whose code is in a published file, with the text of its licence. The lists
// come from the bundlers (bundled-packages.json). imageNotices is for the container image, whose libraries are packages of Debian;
// package-notices.mjs adds the libraries of the prebuilt addons.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const checkout = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const NOTICES = 'THIRD-PARTY-NOTICES';
const RULE = `${'='.repeat(100)}\n`;
const LIBRARY_LIST = 'dist/bundled-packages.json';
const AGENT_LIST = 'agent/dist/bundled-packages.json';
/** A file with the licence MIT. */
const MIT = 'node_modules/uplot/LICENSE';

const TITLE = `Works of others in polytrace

polytrace itself is under Apache-2.0 (LICENSE). Its BPF programs are under BSD-2-Clause or GPL-2.0-only.
`;

const IN_THE_IMAGE = `This file has the licences of the code that is bundled into the files of polytrace. Other works in the image have theirs
beside them:

  - npm packages: in their folder below /opt/polytrace/node_modules
  - packages of Debian, among them libbpf, libelf, zstd and the C and C++ libraries: /usr/share/doc/PACKAGE/copyright.
    Debian has their sources: https://sources.debian.org
  - Node.js: /usr/share/doc/nodejs/LICENSE
`;

/** Reads the licence of an npm package. Throws if its text is not known, so that a release stops. */
export function packageLicence(folder) {
  const { name, version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((each) => /^((un)?licen[cs]e|copying)/i.test(each));
  const text = file === undefined ? standardText(license, author) : readFileSync(join(folder, file), 'utf8');
  if (text === undefined) throw new Error(`${NOTICES}: ${name} ${version} (${license}) has no file with its licence`);
  return { title: `${name} ${version}`, licence: license, texts: [text] };
}

/** The text of a licence for a package that was published without it. Apache-2.0 is the same for all, MIT names the author. */
function standardText(licence, author) {
  if (licence === 'Apache-2.0') return readFileSync(join(checkout, 'LICENSE'), 'utf8');
  if (licence !== 'MIT' || author === undefined) return undefined;
  const [permission] = /Permission is hereby granted[\s\S]*/.exec(readFileSync(join(checkout, MIT), 'utf8'));
  return `The MIT License (MIT)\n\nCopyright (c) ${author.name ?? author}\n\n${permission}`;
}

/** The folders of the packages that the bundles of the checkout contain. The addon contains node-addon-api. */
export function bundledFolders(root, withAgent) {
  const lists = [LIBRARY_LIST, ...(withAgent ? [AGENT_LIST] : [])];
  const entries = lists.flatMap((file) => JSON.parse(readFileSync(join(root, file), 'utf8')));
  return [...new Set([...entries.map(({ folder }) => folder), 'node_modules/node-addon-api'])].sort();
}

/** The sections of everything that is bundled. */
export const bundledSections = (root, withAgent) =>
  bundledFolders(root, withAgent).map((folder) => packageLicence(join(root, folder)));

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

/** Formats the notices: an introduction, and a section for each work. A text that comes again is named only. */
export function formatNotices(introduction, sections) {
  const seen = new Map();
  return [TITLE, introduction, ...sections.map((each) => formatSection(each, seen))].join('\n');
}

/** Returns the notices of the container image, after `npm run build:ts`. */
export function imageNotices(root, withAgent) {
  return formatNotices(IN_THE_IMAGE, bundledSections(root, withAgent));
}
