/** Lists what policies can hook, on this machine or in another kernel, with the policies of the package that use it. */
import type { AvailableHook, HookQuery } from '../../types/hooks.js';
import { hostFiles } from '../elf-files/host-files.js';
import { PolytraceError } from '../errors.js';
import { loadKernelInfo } from '../native/btf.js';
import { AVAILABLE_HOOK_KINDS, findHookIn, listHooksIn, policyHookKeys, type HookPlace } from '../policy/index.js';
import { badOptionError, checkOptionNames } from './bad-option.js';
import { loadPolicyFile, policyLibrary } from './policy-files.js';

export function listHooks(pattern: string, options: HookQuery = {}): AvailableHook[] {
  return listHooksIn(checkName('pattern', pattern), openPlace(options), options.kinds, libraryUsers());
}

export function findHook(name: string, options: HookQuery = {}): AvailableHook {
  return findHookIn(checkName('name', name), openPlace(options), options.kinds, libraryUsers());
}

function checkName(option: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw badOptionError(option, 'is no string', 'give a name, or a part of it');
}

function openPlace(options: HookQuery): HookPlace {
  checkOptionNames(options, { kernel: true, file: true, kinds: true });
  const unknown = (options.kinds ?? []).find((kind) => !AVAILABLE_HOOK_KINDS.includes(kind));
  if (unknown !== undefined)
    throw badOptionError('kinds', `has ${JSON.stringify(unknown)}`, `kinds are ${AVAILABLE_HOOK_KINDS.join(', ')}`);
  const { file } = options;
  if (file === undefined) return { kernel: options.kernel ?? loadKernelInfo() };
  const elf = hostFiles.readElf(file);
  if (elf === undefined)
    throw new PolytraceError(
      'PROGRAM_NOT_FOUND',
      `there is no readable file ${JSON.stringify(file)} on this machine`,
      'check the path and its permissions',
    );
  if (elf === null)
    throw new PolytraceError(
      'PROGRAM_NOT_ELF',
      `${JSON.stringify(file)} is not an ELF file`,
      'name the program or library itself, not a script',
    );
  return { file, realPath: hostFiles.realpath(file) ?? file, elf };
}

/** Returns a function that finds the policies of the package for the key of a hook. */
function libraryUsers(): (key: string) => readonly string[] {
  let users: Map<string, string[]> | undefined;
  return (key) => {
    users ??= readLibrary();
    return users.get(key) ?? [];
  };
}

function readLibrary(): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const { name, file } of policyLibrary()) {
    for (const key of new Set(policyHookKeys(loadPolicyFile(file)))) {
      const names = users.get(key);
      if (names === undefined) users.set(key, [name]);
      else names.push(name);
    }
  }
  return users;
}
