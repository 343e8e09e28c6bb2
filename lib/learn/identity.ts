/** Says which process an exception may name, or why none may. Pure. */
import type { PlainEvent, PlainProcess } from '../../types/events.js';
import { isGeneralProgram, isSessionProgram, isShared, isSystemProgram } from '../generalize/trust.js';

/** An event of a hook. */
export type HookEvent = Extract<PlainEvent, { readonly selector: number }>;

/** Whose events an exception is about. */
export interface Identity {
  /** Paths of executables, one of which the process has. Empty: any program of the container. */
  readonly programs: readonly string[];
  /** Path of the script that the program, an interpreter, runs. */
  readonly script?: string;
  /** Path of the executable that an ancestor has. */
  readonly ancestor?: string;
  /** The container: its image without tag and digest, or its name. */
  readonly container?: { readonly key: 'repo' | 'name'; readonly value: string };
}

/** Why nothing is learned of an event. */
export type Refusal =
  | 'container_unknown'
  | 'executed_file'
  | 'general_program'
  | 'loader'
  | 'no_condition'
  | 'owner_of_socket'
  | 'program_of_users'
  | 'program_unknown'
  | 'program_untrusted'
  | 'text_not_plain'
  | 'value_incomplete';

export const REFUSALS: Readonly<Record<Refusal, string>> = {
  container_unknown: 'no source of containers knew the container, so that nothing can name it',
  executed_file: 'the file that is executed or mapped as code is in no folder for programs',
  general_program: 'the program does whatever its arguments say, and neither a script nor an ancestor says for whom',
  loader: 'events of the loader have no selectors',
  no_condition: 'no value of the hook can be compared, so that the exception would hide everything of the program',
  owner_of_socket: 'the event is about the owner of a socket, and filters compare the calling process',
  program_of_users: "the program is in a folder that is not the administrator's",
  program_unknown: 'the program, or its path, is not known completely',
  program_untrusted: 'the executable is not known to be the file of this path on the host',
  text_not_plain: 'a value has characters that a policy cannot have',
  value_incomplete: 'a value was not recorded, or not completely',
};

/** Longest path or argument that an exception names. */
const NAME_MAX = 254;

const hasFlag = ({ flags }: PlainProcess, ...wanted: readonly string[]): boolean =>
  flags.split(' ').some((flag) => wanted.includes(flag));

/** Text that YAML and the kernel compare as it is: no lone surrogates, which stand for other bytes, and no controls. */
export function isPlainText(text: string): boolean {
  return !/[\p{Cc}\p{Cs}\u2028\u2029\ufeff\ufffd]/u.test(text);
}

export function identify(event: HookEvent): Identity | Refusal {
  const { process } = event;
  if (event.ofSocketOwner) return 'owner_of_socket';
  const container = process.container ?? process.pod?.container;
  if (container !== undefined) return identifyContainer(event);
  const refusal = refuseProgram(process);
  if (refusal !== undefined) return refusal;
  const { executable } = process;
  if (!isGeneralProgram(executable)) return { programs: [executable] };
  const script = findScript(process);
  if (script !== undefined) return { programs: [executable], script };
  const ancestor = findAncestor(event);
  return ancestor === undefined ? 'general_program' : { programs: [executable], ancestor };
}

/** Executables of containers are never trusted, so the container itself is named. */
function identifyContainer({ process }: HookEvent): Identity | Refusal {
  const container = process.container ?? process.pod?.container;
  const image = container?.image?.name;
  const value = image === undefined ? container?.name : stripTag(image);
  if (value === undefined || value === '' || value.length > NAME_MAX || !isPlainText(value)) return 'container_unknown';
  return { programs: [], container: { key: image === undefined ? 'name' : 'repo', value } };
}

/** The key `repo` of containerSelector. */
function stripTag(image: string): string {
  return image.replace(/@.*$/s, '').replace(/:[^/:]*$/, '');
}

function refuseProgram(process: PlainProcess): Refusal | undefined {
  const { executable } = process;
  if (hasFlag(process, 'unknown', 'truncFilename', 'errorFilename') || executable === '') return 'program_unknown';
  if (executable.length > NAME_MAX || !isPlainText(executable)) return 'program_unknown';
  if (process.binaryProperties?.file !== undefined || isShared(executable)) return 'program_of_users';
  if (process.binaryUntrusted) return 'program_untrusted';
  return isSystemProgram(executable) ? undefined : 'program_of_users';
}

/** A script follows its interpreter; `env /usr/bin/python3` has none. Arguments from /proc may be forged. */
function findScript(process: PlainProcess): string | undefined {
  const [first = ''] = process.argv;
  if (hasFlag(process, 'procFS', 'truncArgs', 'errorArgs') || first.length > NAME_MAX) return undefined;
  const isFile = first.startsWith('/') && !/\/\.{1,2}(\/|$)|\/\/|\/$/.test(first) && isPlainText(first);
  return isFile && isSystemProgram(first) && !isShared(first) && !isGeneralProgram(first) ? first : undefined;
}

/** The nearest program above that says for whom the process works. Undefined if there is a session of somebody first. */
function findAncestor({ parent, ancestors }: HookEvent): string | undefined {
  for (const process of parent === undefined ? [] : [parent, ...ancestors]) {
    if (refuseProgram(process) !== undefined || process.container !== undefined) return undefined;
    if (isSessionProgram(process.executable)) return undefined;
    if (!isGeneralProgram(process.executable)) return process.executable;
  }
  return undefined;
}
