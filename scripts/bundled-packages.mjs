// Lists the npm packages that are part of published files, for licence notices.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Returns the npm packages of which a file has code, with their versions. */
function listPackages({ outputs }) {
  return Object.entries(outputs).flatMap(([file, { inputs }]) =>
    Object.entries(inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .flatMap(([path]) => {
        const folder = /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0];
        return folder === undefined ? [] : [{ file, folder }];
      }),
  );
}

/** Writes FOLDER/bundled-packages.json. `metafiles` are what esbuild says about the bundles of the folder. */
export function writeBundledPackages(metafiles, folder) {
  const packages = new Map();
  for (const { file, folder: source } of metafiles.flatMap(listPackages)) {
    const { name, version, license } = JSON.parse(readFileSync(join(root, source, 'package.json'), 'utf8'));
    const entry = packages.get(source) ?? { name, version, license, folder: source, files: [] };
    if (!entry.files.includes(file)) entry.files.push(file);
    packages.set(source, entry);
  }
  const list = [...packages.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  writeFileSync(join(root, folder, 'bundled-packages.json'), `${JSON.stringify(list, undefined, 2)}\n`);
}
