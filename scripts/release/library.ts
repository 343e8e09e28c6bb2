/**
 * Makes a signed archive of the policies: tsx scripts/release/library.ts --key FILE [--key FILE] [--previous ARCHIVE]
 * [--output FILE]. A key is private, of Ed25519 in PEM: `polytrace fleet keygen library.pem` makes one. The person who
 * releases runs this by hand, because no job of the CI has a secret. --previous refuses a version that is not newer.
 */
import { createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openArchive, packLibrary } from '../../lib/library/archive.js';
import { checkPolicies } from '../../lib/library/install.js';
import { readFacts, readLibraryFiles } from '../../lib/library/installed.js';
import { readPrivateKey } from '../../lib/library/keys.js';
import { compareVersions } from '../../lib/library/versions.js';

const root = join(__dirname, '../..');
const { values } = parseArgs({
  options: {
    key: { type: 'string', multiple: true, default: [] },
    previous: { type: 'string' },
    output: { type: 'string' },
    /** Folder with library.json, policies and tests. */
    policies: { type: 'string', default: join(root, 'policies') },
  },
});

const { version: polytrace } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const { version, keys: pinned } = readFacts(values.policies);
if (values.key.length === 0) throw new Error('library: --key is missing');
const signers = values.key.map(readPrivateKey);
const files = readLibraryFiles(values.policies);
const bytes = packLibrary({ version, polytrace, created: new Date().toISOString(), files }, signers);
const trusted = new Map(signers.map(({ key, fingerprint }) => [fingerprint, createPublicKey(key)]));
checkPolicies(openArchive(bytes, trusted, 'the new archive'), polytrace);
if (values.previous !== undefined) {
  const previous = openArchive(readFileSync(values.previous), trusted, values.previous);
  if (compareVersions(version, previous.version) <= 0) {
    throw new Error(`library: ${version} is not newer than ${previous.version}: raise the version in library.json`);
  }
}
const file = values.output ?? `polytrace-policies-${version}.json`;
writeFileSync(file, bytes);
console.log(`library: ${file} has version ${version}, signed by ${signers.map((each) => each.fingerprint).join(', ')}`);
if (pinned.length === 0) console.log('library: library.json pins no key, so users have to name it with --key');
