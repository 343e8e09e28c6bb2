// Creates the bill of materials of the package in CycloneDX format: the libraries in the prebuilt addons, the npm
// dependencies, the packages that are bundled, and their licences.
import * as CDX from '@cyclonedx/cyclonedx-library';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { sourceAddresses, sourceCpe, sourcePurl, SOURCES } from './sources.mjs';
import { prebuiltFile, TARGETS } from './targets.mjs';
import { sysroot } from './toolchain.mjs';

/** Linked libraries: the licence of the project, the licence that polytrace chooses, and the reason. */
export const LINKED = {
  libbpf: { licence: 'LGPL-2.1-only OR BSD-2-Clause', usedUnder: 'BSD-2-Clause', why: 'it permits static linking' },
  elfutils: {
    licence: 'GPL-2.0-or-later OR LGPL-3.0-or-later',
    usedUnder: 'LGPL-3.0-or-later',
    why: 'section 4 (d) 0: the package has the complete sources of the addon, and what links it again (polytrace rebuild)',
  },
  zlib: { licence: 'Zlib', usedUnder: 'Zlib', why: 'it permits static linking' },
  libzstd: { licence: 'BSD-3-Clause OR GPL-2.0-only', usedUnder: 'BSD-3-Clause', why: 'it permits static linking' },
  'libstdc++': {
    licence: 'GPL-3.0-or-later WITH GCC-exception-3.1',
    usedUnder: 'GPL-3.0-or-later WITH GCC-exception-3.1',
    why: 'the exception permits static linking of what GCC or another compiler has made',
    debian: 'gcc-10-base',
    source: 'gcc-10',
    vendor: 'gnu:gcc',
  },
  libgcc: {
    licence: 'GPL-3.0-or-later WITH GCC-exception-3.1',
    usedUnder: 'GPL-3.0-or-later WITH GCC-exception-3.1',
    why: 'the exception permits static linking of what GCC or another compiler has made',
    debian: 'gcc-10-base',
    source: 'gcc-10',
    vendor: 'gnu:gcc',
  },
  'glibc (libc_nonshared.a and crtbeginS.o)': {
    licence: 'LGPL-2.1-or-later',
    usedUnder: 'LGPL-2.1-or-later',
    why: 'the files that every program gets have an exception that permits static linking',
    debian: 'libc6',
    source: 'glibc',
    vendor: 'gnu:glibc',
  },
};

/** Reads the version of a package in the Debian release whose C and C++ libraries are used. */
function debianVersion(name) {
  const log = gunzipSync(readFileSync(join(sysroot('x64'), `usr/share/doc/${name}/changelog.Debian.gz`))).toString();
  return /\(([^)]+)\)/.exec(log)[1];
}

/** Identifiers of a library whose sources are compiled with the addon. */
function sourceFacts(name) {
  const source = SOURCES[name];
  return {
    version: source.version,
    purl: sourcePurl(name, source),
    cpe: sourceCpe(name, source),
    hashes: [{ alg: 'SHA-256', content: source.dsc }],
    externalReferences: sourceAddresses(source).map((url) => ({ type: 'source-distribution', url })),
    pedigree: { notes: `the Debian source package ${source.debian}, with its patches; the hash is that of its .dsc file` },
  };
}

/** Identifiers of a library that is linked as Debian has compiled it. */
function archiveFacts({ debian, source, vendor }) {
  const version = debianVersion(debian);
  return {
    version,
    purl: `pkg:deb/debian/${source}@${encodeURIComponent(version)}?arch=source&distro=debian-11`,
    cpe: `cpe:2.3:a:${vendor}:${/^[\d.]+/.exec(version)[0]}:*:*:*:*:*:*:*`,
  };
}

function linkedLibraries() {
  return Object.entries(LINKED).map(([name, { licence, usedUnder, why, ...archive }]) => ({
    type: 'library',
    'bom-ref': `linked:${name}`,
    name,
    scope: 'required',
    ...(SOURCES[name] ? sourceFacts(name) : archiveFacts(archive)),
    licenses: [{ expression: licence }],
    properties: [
      { name: 'polytrace:linking', value: 'static' },
      { name: 'polytrace:usedUnder', value: usedUnder },
      { name: 'polytrace:reason', value: why },
    ],
  }));
}

/** Known vulnerabilities of these versions whose code is not in the addon, or reads no input of others. */
function harmlessVulnerabilities() {
  return Object.entries(SOURCES).flatMap(([name, { absent = {}, unreachable = {} }]) =>
    Object.entries({ code_not_present: absent, code_not_reachable: unreachable }).flatMap(([justification, reasons]) =>
      Object.entries(reasons).map(([id, detail]) => ({
        id,
        analysis: { state: 'not_affected', justification, detail },
        affects: [{ ref: `linked:${name}` }],
      })),
    ),
  );
}

/**
 * Describes an npm package. Its licence is an identifier or an expression, such as `(MIT OR GPL-3.0-or-later)`. `linking`
 * is undefined for a package that npm installs.
 */
export function npmComponent({ name, version, license }, linking) {
  const properties = linking === undefined ? [] : [{ name: 'polytrace:linking', value: linking }];
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return { type: 'library', 'bom-ref': purl, name, version, purl, licenses: [{ expression: license }], properties };
}

const readPackage = (root, name) => JSON.parse(readFileSync(join(root, `node_modules/${name}/package.json`), 'utf8'));

function addonComponent(root, arch) {
  const file = prebuiltFile(arch);
  const sha256 = createHash('sha256').update(readFileSync(join(root, file))).digest('hex');
  return { type: 'file', 'bom-ref': file, name: file, hashes: [{ alg: 'SHA-256', content: sha256 }] };
}

/** The packages whose code is in the files of dist/. `npm run build:ts` lists them. */
function bundledPackages(root, installed) {
  const bundled = JSON.parse(readFileSync(join(root, 'dist/bundled-packages.json'), 'utf8'));
  return bundled
    .map((each) => npmComponent(each, 'bundled'))
    .filter(({ purl }) => !installed.some((other) => other.purl === purl));
}

/** Creates the document for the package in `root`. The prebuilt addons and dist/ have to exist. */
export function billOfMaterials(root) {
  const { name, version, license, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const purl = `pkg:npm/${name}@${version}`;
  const libraries = [...linkedLibraries(), npmComponent(readPackage(root, 'node-addon-api'), 'headers only')];
  const packages = Object.keys(dependencies).map((each) => npmComponent(readPackage(root, each)));
  const bundled = bundledPackages(root, packages);
  const addons = Object.keys(TARGETS).map((arch) => addonComponent(root, arch));
  const componentRefs = (components) => components.map((each) => each['bom-ref']);
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'library', 'bom-ref': purl, name, version, purl, licenses: [{ license: { id: license } }] } },
    components: [...addons, ...libraries, ...packages, ...bundled],
    vulnerabilities: harmlessVulnerabilities(),
    dependencies: [
      { ref: purl, dependsOn: componentRefs([...addons, ...packages, ...bundled]) },
      ...addons.map((each) => ({ ref: each['bom-ref'], dependsOn: componentRefs(libraries) })),
    ],
  };
}

/** Validates a document with the schema of CycloneDX. Returns a message for each error. */
export async function schemaErrors(document) {
  const errors = await new CDX.Validation.JsonStrictValidator(CDX.Spec.Version.v1dot6).validate(document);
  return (errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`);
}
