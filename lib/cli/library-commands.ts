/** The commands that compare and update the policy library: policies version, update, outdated and diff. */
import type { Command } from 'commander';
import { PolytraceError } from '../errors.js';
import { openArchive, type LibraryArchive } from '../library/archive.js';
import { checkPolicies, installLibrary } from '../library/install.js';
import { libraryRoot, packageFolder, readFacts, readLibraryFiles, usedLibrary, type UsedLibrary } from '../library/installed.js'; // prettier-ignore
import { readLibraryKeys } from '../library/keys.js';
import { readArchive } from '../library/source.js';
import { compareVersions } from '../library/versions.js';
import { diffLines } from '../output/diff-lines.js';
import { escapeControls } from '../output/terminal-text.js';
import { CommandError, OUTDATED, POLICY_ERRORS, SUCCESS, UsageError, type Context } from './context.js';
import { print } from './output.js';

const SOURCE = 'archive of a policy library: a file, or an address that begins with https:// or http://';
const KEY = 'file with public keys that may have signed it, in addition to those of this package';

const UPDATE_HELP = `
The archive is checked as a whole before anything is written: its signature, its
names, its version, and every policy in it. The new version appears at once, or
not at all. Programs that run keep the policies that they have loaded.

Examples:
  polytrace policies outdated https://example.org/policies-1.2.0.json
  polytrace policies diff policies-1.2.0.json egress
  polytrace policies update policies-1.2.0.json --key library.pem.pub
`;

interface SourceOptions {
  readonly key?: readonly string[];
}

export function addLibraryCommands(
  library: Command,
  context: Context,
  version: string,
  done: (status: number) => void,
): void {
  // prettier-ignore
  library
    .command('version')
    .description('Print the version of the policy library that is used, and its folder')
    .action(async () => {
      const used = usedLibrary(findOwnFolder(), libraryRoot(context.env));
      await print(context.stdout, `${used.version} (${used.isInstalled ? used.folder : 'of the package'})\n`);
      done(SUCCESS);
    });
  addSource(library.command('update'))
    .description('Install a signed, newer version of the policy library')
    .option('--allow-older', 'install it even if it is older than the installed version')
    .addHelpText('after', UPDATE_HELP)
    .action(async (source: string, options: SourceOptions & { readonly allowOlder?: boolean }) => {
      await codeErrors(async () => {
        const { archive, used, changes } = await openSource(source, options, context);
        const { allowOlder = false } = options;
        const settings = { used, root: libraryRoot(context.env), polytrace: version, allowOlder };
        const isNew = installLibrary(archive, settings);
        const text = isNew
          ? `installed ${archive.version} in place of ${used.version}\n${formatChanges(changes)}`
          : `${used.version} is used already\n`;
        await print(context.stdout, text);
      });
      done(SUCCESS);
    });
  addSource(library.command('outdated'))
    .description('Compare the version that is used with that of an archive; exit status 8 if the archive is newer')
    .action(async (source: string, options: SourceOptions) => {
      await codeErrors(async () => {
        const { archive, used, changes } = await openSource(source, options, context);
        checkPolicies(archive, version);
        const isNewer = compareVersions(archive.version, used.version) > 0;
        const facts = `used:    ${used.version}\narchive: ${archive.version} (${archive.created}, key ${archive.signedBy})\n`;
        await print(context.stdout, facts + (isNewer ? formatChanges(changes) : ''));
        done(isNewer ? OUTDATED : SUCCESS);
      });
    });
  addSource(library.command('diff'))
    .argument('[name...]', 'names of policies (default: all)')
    .description('Show what an archive would change in the policies')
    .action(async (source: string, names: readonly string[], options: SourceOptions) => {
      await codeErrors(async () => {
        const { archive, files, changes } = await openSource(source, options, context);
        const known = new Set([...Object.keys(archive.files), ...Object.keys(files)]);
        const wanted = names.map((name) => `${name.replace(/^polytrace:/, '')}.yaml`);
        const unknown = wanted.find((file) => !known.has(file));
        if (unknown !== undefined) throw new UsageError(`neither library has a policy ${unknown.slice(0, -5)}`);
        const shown = changes.filter(({ file }) => wanted.length === 0 || wanted.includes(file));
        await print(context.stdout, shown.map(formatDifference).join(''));
      });
      done(SUCCESS);
    });
}

function addSource(command: Command): Command {
  return command.argument('<archive>', SOURCE).option('--key <file...>', KEY);
}

function findOwnFolder(): string {
  const folder = packageFolder();
  if (folder === undefined) throw new UsageError('the folder policies of the package is missing: install it again');
  return folder;
}

interface OpenedSource {
  readonly archive: LibraryArchive;
  readonly used: UsedLibrary;
  /** The policies and tests that are used, by their names. */
  readonly files: Readonly<Record<string, string>>;
  readonly changes: readonly Change[];
}

async function openSource(source: string, { key = [] }: SourceOptions, { env }: Context): Promise<OpenedSource> {
  const ownFolder = findOwnFolder();
  const used = usedLibrary(ownFolder, libraryRoot(env));
  // an installed library cannot bring keys
  const keys = readLibraryKeys(key, readFacts(ownFolder).keys);
  const archive = openArchive(await readArchive(source), keys, source);
  const files = readLibraryFiles(used.folder);
  return { archive, used, files, changes: listChanges(files, archive) };
}

interface Change {
  readonly file: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Lists the policies that differ. Tests of policies are not loaded. */
function listChanges(before: Readonly<Record<string, string>>, { files }: LibraryArchive): Change[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(files)])].sort();
  return names
    .filter((file) => !file.startsWith('tests/') && before[file] !== files[file])
    .map((file) => ({ file, before: before[file], after: files[file] }));
}

function formatChanges(changes: readonly Change[]): string {
  const describe = ({ before, after }: Change): string =>
    before === undefined ? 'new' : after === undefined ? 'removed' : 'changed';
  return changes.map((change) => `${describe(change).padEnd(8)} ${change.file.slice(0, -5)}\n`).join('');
}

function formatDifference({ file, before = '', after = '' }: Change): string {
  return `--- ${file}\n+++ ${file}\n${escapeControls(diffLines(before, after).join('\n'))}\n`;
}

/** The command has its own copies of the classes of errors. */
async function codeErrors(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof PolytraceError)) throw error;
    throw new CommandError(error.code, error.message, error.hint, POLICY_ERRORS);
  }
}
