/**
 * Makes a TracingPolicy of a lock file: it reports the programs, files, secrets, connections and listeners that the lock
 * file does not have. Pure.
 */
import type { LockFact, LockPolicyOptions } from '../../types/run.js';
import { PolytraceError } from '../errors.js';
import { isInside } from '../generalize/paths.js';
import { parseFact, listSubjects, Variables, type ParsedFact } from './lock-facts.js';
import { connectHooks, listenHooks, readAddresses } from './lock-sockets.js';
import { WRITE_FLAGS, WRITE_NOISE } from './policy.js';
import { OWN_SETTINGS, SECRET_BEGINNINGS, SECRET_ENDS } from '../generalize/secrets.js';
import { formatPolicy, quoteForComment, type Filter, type PolicyHook } from '../generalize/policy-text.js';

/** Kinds that the policy compares. The others are named in its comment. */
const COMPARED = ['exec', 'write', 'secret', 'connect', 'listen'];
/** Folders and links are made without an open. */
const MADE = /^(.*) \((?:folder|link)\)$/s;
const WRITTEN = /^(.*) \(written\)$/s;
/** Characters of the name of a policy. */
const NAME_MAX = 63;

/** Throws PolytraceError LOCK_POLICY. */
export function lockPolicy(facts: readonly LockFact[], options: LockPolicyOptions = {}): string {
  const { section, programs = [] } = options;
  const wanted = section === undefined ? facts : facts.filter((fact) => fact.package === section);
  if (section !== undefined && wanted.length === 0) {
    const names = [...new Set(facts.map((fact) => fact.package))].map((name) => JSON.stringify(name));
    throw new PolytraceError(
      'LOCK_POLICY',
      `the lock file has no section ${JSON.stringify(section)}`,
      `its sections are ${names.join(', ') || 'none'}`,
    );
  }
  const variables = new Variables(
    Object.fromEntries(Object.entries(options.variables ?? {}).map(([name, value]) => [name, [value].flat()])),
  );
  const relative = programs.find((path) => !path.startsWith('/'));
  if (relative !== undefined) {
    throw new PolytraceError(
      'LOCK_POLICY',
      `the program ${JSON.stringify(relative)} is no absolute path`,
      'the kernel knows programs by the path of their file, such as /usr/bin/node; that of a script is its interpreter',
    );
  }
  const parsed = wanted.map(parseFact);
  const notes: string[] = [];
  const hooks = [
    execHook(parsed, variables, notes),
    ...fileHooks(parsed, variables, notes, section),
    ...connectHooks(parsed, readAddresses(options.addresses ?? {}), notes),
    ...listenHooks(parsed),
  ];
  const others = parsed.filter(
    ({ kind, subject }) => !COMPARED.includes(kind) || (kind === 'write' && MADE.test(subject)),
  );
  if (others.length > 0) {
    const kinds = [...new Set(others.map(({ kind }) => kind))].sort();
    notes.push(
      `Not compared: ${others.length} facts about ${kinds.join(', ')}. \`polytrace run --lock\` compares them.`,
    );
  }
  const scope =
    programs.length === 0
      ? 'It is about every process: give it a scope, such as a containerSelector, or write it with --program.'
      : 'It is about these programs and all that they start.';
  return formatPolicy(formatName(section), [...INTRODUCTION, scope, ...notes], hooks, programs);
}

const INTRODUCTION = [
  'Reports what a lock file does not have. `polytrace lock policy` has written it.',
  'The kernel compares addresses, no host names. UDP is not compared. Of a path with *, only the part before it is compared.',
];

function formatName(section: string | undefined): string {
  const word = (section ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return `polytrace-lock${word === '' ? '' : `-${word}`}`.slice(0, NAME_MAX).replace(/-$/, '');
}

/** The filters that hold for every path but these. */
function otherPaths(
  texts: readonly string[],
  variables: Variables,
  notes: string[],
  more: readonly string[] = [],
): Filter[] {
  const patterns = texts.flatMap((text) => {
    const found = variables.expand(text);
    if (!text.endsWith('/**') && found.some(({ isPrefix }) => isPrefix))
      notes.push(`Wider than the lock file: ${quoteForComment(text)} allows every path that begins so.`);
    return found;
  });
  const paths = (isPrefix: boolean): string[] =>
    [...new Set(patterns.filter((pattern) => pattern.isPrefix === isPrefix).map(({ path }) => path))].sort();
  const prefixes = [...new Set([...more, ...paths(true)])].sort();
  // a beginning of nothing holds for all paths
  if (prefixes.includes('')) prefixes.splice(0, prefixes.length, '/');
  return [
    ...(prefixes.length === 0 ? [] : [{ position: 0, operator: 'NotPrefix', values: prefixes }]),
    ...(paths(false).length === 0 ? [] : [{ position: 0, operator: 'NotEqual', values: paths(false) }]),
  ];
}

function execHook(facts: readonly ParsedFact[], variables: Variables, notes: string[]): PolicyHook {
  return {
    call: 'security_bprm_check',
    message: 'A program that the lock file does not have was executed',
    args: [{ index: 0, type: 'linux_binprm' }],
    selectors: [otherPaths(listSubjects(facts, 'exec'), variables, notes)],
  };
}

/** Writing, and reading of secrets: both when the file is opened. */
function fileHooks(
  facts: readonly ParsedFact[],
  variables: Variables,
  notes: string[],
  section: string | undefined,
): PolicyHook[] {
  const secrets = listSubjects(facts, 'secret');
  const written = secrets.flatMap((subject) => WRITTEN.exec(subject)?.[1] ?? []);
  const allowed = secrets.map((subject) => WRITTEN.exec(subject)?.[1] ?? subject);
  const writes = [...listSubjects(facts, 'write').filter((subject) => !MADE.test(subject)), ...written];
  const isManager = section === undefined || section === '.';
  const ends = SECRET_ENDS.filter((end) => !isManager || !OWN_SETTINGS.includes(end));
  const others = otherPaths(allowed, variables, notes);
  return [
    {
      call: 'security_file_open',
      message: 'A file that the lock file does not have was opened for writing',
      // the flags of open(2): O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
      args: [
        { index: 0, type: 'file' },
        { index: 0, type: 'uint32', resolve: 'f_flags' },
      ],
      selectors: [
        [
          { position: 1, operator: 'Mask', values: [String(WRITE_FLAGS)] },
          ...otherPaths(writes, variables, notes, [...WRITE_NOISE, ...ownFolders(variables)]),
        ],
      ],
    },
    {
      call: 'security_file_open',
      message: 'A secret that the lock file does not have was opened',
      args: [{ index: 0, type: 'file' }],
      selectors: [
        [{ position: 0, operator: 'Postfix', values: ends }, ...others],
        [{ position: 0, operator: 'Prefix', values: SECRET_BEGINNINGS }, ...others],
      ],
    },
  ];
}

/** The working folder is the command's own, as for `run`, but not a home or a folder with homes. */
function ownFolders(variables: Variables): string[] {
  const homes = variables.find('HOME');
  return variables
    .get('PWD', 'the working folder, whose files a lock file does not list,')
    .filter((folder) => folder !== '' && !homes.some((home) => isInside(home, folder)))
    .map((folder) => `${folder}/`);
}
