/** Finds and reads policy files. No other file reads policies from disk. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LibraryPolicy } from '../../types/policy.js';
import { isDescriptorLimit, PolicyError, type Diagnostic } from '../errors.js';
import { packageFolder, usedLibrary } from '../library/installed.js';
import { isLibraryPolicy, LIBRARY_PREFIX } from '../names/policy-library.js';
import { MATURITIES, MATURITY_ANNOTATION, SEVERITIES, SEVERITY_ANNOTATION } from '../names/severity.js';
import type { DiagnosticCode } from '../policy/index.js';
import { readUpTo } from '../read-up-to.js';
import { POLICY_BYTES_MAX } from '../policy/index.js';

/**
 * Returns the .yaml and .yml files of a folder, sorted by name. Returns the path of a file unchanged. Throws PolicyError.
 */
export function expandPolicyPaths(fileOrFolder: string): string[] {
  if (isLibraryPolicy(fileOrFolder)) return [libraryFile(fileOrFolder)];
  return explainFileErrors(fileOrFolder, () => {
    if (!statSync(fileOrFolder).isDirectory()) return [fileOrFolder];
    const names = readdirSync(fileOrFolder, { withFileTypes: true })
      .filter((entry) => !entry.name.startsWith('.') && /\.ya?ml$/.test(entry.name))
      .map((entry) => entry.name)
      .sort();
    if (names.length === 0) {
      throw fileError(
        'FOLDER_EMPTY',
        fileOrFolder,
        'this folder contains no policies',
        'policies must be files with names that end in .yaml or .yml',
      );
    }
    return names.map((name) => join(fileOrFolder, name));
  });
}

function libraryFile(path: string): string {
  const name = path.slice(LIBRARY_PREFIX.length);
  const files = libraryFiles();
  const file = files.get(name);
  if (file !== undefined) return file;
  const hint =
    files.size === 0
      ? 'the folder policies of the package is missing: copy it beside the program that was bundled'
      : `the package has ${[...files.keys()].map((each) => LIBRARY_PREFIX + each).join(', ')}`;
  throw fileError('FILE_UNREADABLE', path, `there is no policy ${JSON.stringify(name)} in the package`, hint);
}

/** Returns the files of the library's policies, by their names: those of the package, or a newer version. */
function libraryFiles(): ReadonlyMap<string, string> {
  const ownFolder = packageFolder();
  if (ownFolder === undefined) return new Map();
  const { folder } = usedLibrary(ownFolder);
  const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  return new Map(names.sort().map((name) => [name.replace(/\.yaml$/, ''), join(folder, name)]));
}

export function policyLibrary(): LibraryPolicy[] {
  return [...libraryFiles()].map(([name, file]) => {
    const text = loadPolicyFile(file);
    const [summary = ''] = text.split(/^#?\n/m);
    const severity = readAnnotation(text, SEVERITY_ANNOTATION, SEVERITIES) ?? 'medium';
    const maturity = readAnnotation(text, MATURITY_ANNOTATION, MATURITIES) ?? 'sandbox';
    return { name, file, summary: summary.replace(/^# ?/gm, '').replace(/\s+/g, ' ').trim(), severity, maturity };
  });
}

/** Reads an annotation without parsing the policy, which takes long. The files of the package have each on a line. */
function readAnnotation<T extends string>(text: string, name: string, values: readonly T[]): T | undefined {
  const line = text.split('\n').find((each) => each.trimStart().startsWith(`${name}: `));
  return values.find((value) => value === line?.slice(line.indexOf(': ') + 2));
}

/** Reads a policy file. Throws PolicyError if it cannot be read, is too large or is not UTF-8. */
export function loadPolicyFile(pathOrName: string): string {
  const path = isLibraryPolicy(pathOrName) ? libraryFile(pathOrName) : pathOrName;
  return explainFileErrors(path, () => {
    const bytes = readUpTo(path, POLICY_BYTES_MAX);
    if (bytes === undefined) {
      throw fileError(
        'FILE_TOO_LARGE',
        path,
        `the policy is larger than ${POLICY_BYTES_MAX} bytes`,
        'split it into several policies',
      );
    }
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      throw fileError('FILE_NOT_UTF8', path, 'the file is not UTF-8 text', 'save it as UTF-8');
    }
  });
}

function explainFileErrors<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof PolicyError) throw error;
    if (isDescriptorLimit(error)) throw error;
    if (path.includes('\n')) {
      throw fileError(
        'FILE_UNREADABLE',
        '<policy>',
        'the policy is YAML text where a path is expected',
        'pass { yaml: text }',
      );
    }
    const { code } = error as NodeJS.ErrnoException;
    throw fileError(
      'FILE_UNREADABLE',
      path,
      `the policy cannot be read: ${code ?? String(error)}`,
      code === 'EISDIR'
        ? 'it is a folder; `docker run -v FILE:…` makes an empty folder when FILE does not exist on the host'
        : 'check the path and its permissions',
    );
  }
}

function fileError(code: DiagnosticCode, file: string, message: string, hint: string): PolicyError {
  const diagnostic: Diagnostic = { code, severity: 'error', message, hint, file, line: 1, column: 1, text: '' };
  return new PolicyError([diagnostic]);
}
