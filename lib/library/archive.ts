/**
 * Archives of the policy library: one file with a line of JSON, the header, and then JSON with all files, the content.
 * The header has signatures over the bytes of the content. No member is a path on a disk: an archive of `tar` would bring
 * links, owners and modes, of which each has to be refused.
 */
import { sign, verify, type KeyObject } from 'node:crypto';
import type { LibraryKeys } from './keys.js';
import { libraryError } from './library-error.js';
import { isVersion } from './versions.js';

const FORMAT = 'polytrace policy library 1';
/** An archive of the package has about 300 kB. */
export const ARCHIVE_BYTES_MAX = 16 * 1024 * 1024;
const FILES_MAX = 1000;
const SIGNATURES_MAX = 16;
/** A policy, or the test of a policy. */
const FILE_NAME = /^(tests\/)?[a-z0-9][a-z0-9-]{0,62}\.yaml$/;

export interface LibraryContent {
  readonly version: string;
  /** The oldest version of polytrace that can load these policies. */
  readonly polytrace: string;
  /** Time of the signature (ISO 8601). */
  readonly created: string;
  /** Texts by name, such as `egress.yaml` and `tests/egress.yaml`. */
  readonly files: Readonly<Record<string, string>>;
}

/** A library whose signature is good. */
export interface LibraryArchive extends LibraryContent {
  /** Fingerprint of the key that has signed it. */
  readonly signedBy: string;
}

interface Header {
  readonly format: string;
  readonly bytes: number;
  readonly signatures: readonly { readonly key: string; readonly signature: string }[];
}

/** A signature is for this format only. */
const signedBytes = (content: Uint8Array): Buffer => Buffer.concat([Buffer.from(`${FORMAT}\n`), content]);

/** Returns the bytes of an archive. More than one key is for the time when a key is replaced. */
export function packLibrary(
  content: LibraryContent,
  keys: readonly { readonly key: KeyObject; readonly fingerprint: string }[],
): Buffer {
  const { version, polytrace, created, files } = content;
  const bytes = Buffer.from(JSON.stringify({ version, polytrace, created, files }));
  const signatures = keys.map(({ key, fingerprint }) => ({
    key: fingerprint,
    signature: sign(null, signedBytes(bytes), key).toString('base64'),
  }));
  const header: Header = { format: FORMAT, bytes: bytes.length, signatures };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), bytes]);
}

/** Reads an archive. Nothing of its content is looked at before its signature is good. Throws PolytraceError. */
export function openArchive(archive: Uint8Array, keys: LibraryKeys, origin: string): LibraryArchive {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  const end = bytes.indexOf('\n');
  const header = parseHeader(end === -1 ? bytes.toString() : bytes.toString('utf8', 0, end), origin);
  const content = bytes.subarray(end + 1);
  if (end === -1 || content.length !== header.bytes) {
    throw libraryError(
      'LIBRARY_TRUNCATED',
      `${origin} has ${end === -1 ? 0 : content.length} bytes of ${header.bytes}`,
      'get the archive again: a part of it is missing, or something was added',
    );
  }
  const signedBy = findSigner(header, content, keys, origin);
  return { ...parseContent(content, origin), signedBy };
}

function parseHeader(line: string, origin: string): Header {
  const header = parseJson(line) as Partial<Header> | undefined;
  const { format, bytes, signatures } = header ?? {};
  const isHeader = Number.isSafeInteger(bytes) && Array.isArray(signatures) && signatures.length <= SIGNATURES_MAX;
  if (format === FORMAT && isHeader) return header as Header;
  const isOther = typeof format === 'string' && format !== FORMAT && format.startsWith('polytrace policy library ');
  throw libraryError(
    'LIBRARY_FORMAT',
    isOther ? `${origin} has the format ${JSON.stringify(format.slice(0, 80))}` : `${origin} is no policy library`,
    isOther
      ? 'install a later version of polytrace'
      : 'name an archive of the policy library; a page of a server that asks for a login is none',
  );
}

function findSigner({ signatures }: Header, content: Buffer, keys: LibraryKeys, origin: string): string {
  const signed = signedBytes(content);
  const known = signatures.filter((each) => keys.has(each?.key));
  for (const { key: name, signature } of known) {
    const key = keys.get(name);
    const isGood = typeof signature === 'string' && key !== undefined;
    if (isGood && verify(null, signed, key, Buffer.from(signature, 'base64'))) return name;
  }
  throw libraryError(
    'LIBRARY_SIGNATURE',
    known.length > 0
      ? `${origin} was changed after it was signed`
      : `${origin} is not signed by a trusted key (${[...keys.keys()].join(', ')})`,
    known.length > 0
      ? 'do not use it; get it again, and find out who changed it'
      : 'do not use it, unless its signer has given you a new public key: name its file with --key',
  );
}

function parseContent(bytes: Buffer, origin: string): LibraryContent {
  const content = parseJson(decodeText(bytes)) as Partial<LibraryContent> | undefined;
  const { version, polytrace, created, files } = content ?? {};
  const hasVersions = isVersion(version) && isVersion(polytrace) && !Number.isNaN(Date.parse(created ?? ''));
  const entries = typeof files === 'object' && files !== null && !Array.isArray(files) ? Object.entries(files) : [];
  const hasFiles = entries.length > 0 && entries.length <= FILES_MAX;
  if (!hasVersions || !hasFiles || !entries.every(([, text]) => typeof text === 'string')) {
    throw libraryError(
      'LIBRARY_FORMAT',
      `the content of ${origin} is no policy library: it needs version, polytrace, created and files`,
      'make the archive with scripts/release/library.ts',
    );
  }
  const bad = entries.find(([name]) => !FILE_NAME.test(name));
  if (bad !== undefined) {
    throw libraryError(
      'LIBRARY_NAME',
      `${origin} has a file named ${JSON.stringify(bad[0].slice(0, 200))}`,
      'do not use it: names are NAME.yaml and tests/NAME.yaml, with small letters, digits and -',
    );
  }
  return content as LibraryContent;
}

function decodeText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return '';
  }
}

function parseJson(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
