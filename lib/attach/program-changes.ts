/** Resolves the changes that a hook makes in traced programs: to registers, the next instruction, and arguments. */
import { formatHookPosition, hasModifyingAction } from '../compiled/compiled-hook.js';
import { KernelError } from '../errors.js';
import type { NativeFeatures } from '../native/features.js';
import type { CompiledHook, SelectorActions } from '../compiled/compiled-policy.js';
import { virtualAddress, type ElfInfo, type ProbePoint } from '../elf/elf-info.js';
import { readElfFile } from '../elf-files/host-files.js';
import { programRegister, PROGRAM_REGISTERS } from '../names/kernel.js';
import type { AssignedRegister, Assignment, ProgramChanges } from '../wire/encode/context.js';
import { AbiLimit } from '../wire/layout.gen.js';

const fullRegister = (wordIndex = 0): AssignedRegister => ({ wordIndex, bytes: 8 });
const [VALUE, IP, SP] = [PROGRAM_REGISTERS['rax'], PROGRAM_REGISTERS['rip'], PROGRAM_REGISTERS['rsp']].map(fullRegister) as [AssignedRegister, AssignedRegister, AssignedRegister]; // prettier-ignore
const NEWER = 'setting registers needs x86-64 and a Linux newer than 6.18 (`polytrace preflight`: uprobe_registers)';

/** The changes that a uprobe makes. Rejects with KernelError OVERRIDE_NOT_POSSIBLE, HOOK_NOT_FOUND or LIMIT_ASSIGNMENTS. */
export async function overrideChanges(
  hook: CompiledHook,
  features: NativeFeatures,
  returns: boolean,
  path: string,
): Promise<ProgramChanges | undefined> {
  if (!hasModifyingAction(hook)) return undefined;
  const refuse = (why: string, hint: string): never => {
    throw new KernelError(
      'OVERRIDE_NOT_POSSIBLE',
      `${formatHookPosition(hook)}: ${hook.call} cannot be overridden: ${why}`,
      hint,
    );
  };
  if (!features.uprobeRegisters.available)
    refuse(`this kernel does not allow it (${features.uprobeRegisters.reason})`, NEWER);
  if (returns)
    refuse('the return of an overridden call cannot be seen', 'remove `return: true`, and use another hook to read it');
  const assignments: Assignment[][] = [];
  for (const actions of hook.actions ?? []) assignments.push(await listAssignments(hook, actions, path));
  const count = assignments.flat().length;
  if (count > AbiLimit.ASSIGNMENTS_MAX) {
    const message = `${formatHookPosition(hook)}: its selectors set ${count} registers in total; at most ${AbiLimit.ASSIGNMENTS_MAX} are allowed`;
    throw new KernelError('LIMIT_ASSIGNMENTS', message, 'split the hook into two');
  }
  return { assignments, setsRegisters: true };
}

async function listAssignments(
  hook: CompiledHook,
  { override, registers, goOn }: SelectorActions,
  path: string,
): Promise<Assignment[]> {
  if (goOn !== undefined) return [{ to: IP, from: IP, offset: await distanceTo(hook, goOn, path) }];
  if (registers !== undefined) {
    return registers.map(({ to, from, memory, offset }) => ({
      to: programRegister(to) ?? VALUE,
      from: from === undefined ? undefined : programRegister(from),
      memory,
      offset,
    }));
  }
  if (override === undefined) return [];
  // these assignments do the same as the instruction `ret`
  return [
    { to: VALUE, offset: BigInt(override) },
    { to: IP, from: SP, memory: true, offset: 0n },
    { to: SP, from: SP, offset: 8n },
  ];
}

/** Returns the distance from the hook to `goOn` in the file. It is the same in memory, because a file is mapped as a whole. */
async function distanceTo(
  hook: CompiledHook,
  goOn: NonNullable<SelectorActions['goOn']>,
  path: string,
): Promise<bigint> {
  const { symbol, symbolOffset = 0n, fileOffset, address } = hook.program ?? {};
  const elf = await readElfFile(
    path,
    [symbol, goOn.symbol].filter((name) => name !== undefined),
  );
  const findAddress = (point: NonNullable<SelectorActions['goOn']>, description: string): bigint => {
    const found = elf ? resolveAddress(elf, point) : undefined;
    if (found !== undefined) return found;
    throw new KernelError(
      'HOOK_NOT_FOUND',
      `${formatHookPosition(hook)}: ${path} has no ${description}`,
      'the place must be in the same file as the hook',
    );
  };
  const from = {
    ...(symbol === undefined ? {} : { symbol }),
    ...(fileOffset === undefined ? {} : { fileOffset }),
    ...(address === undefined ? {} : { address }),
  };
  return findAddress(goOn, formatPoint(goOn)) - findAddress(from, formatPoint(from)) - symbolOffset;
}

function resolveAddress(
  elf: ElfInfo,
  { symbol, fileOffset, address }: NonNullable<SelectorActions['goOn']>,
): bigint | undefined {
  if (symbol !== undefined) return elf.symbols.get(symbol) ?? undefined;
  if (fileOffset !== undefined) return virtualAddress(elf, fileOffset);
  const isIn = elf.segments.some(
    (each) => address !== undefined && address >= each.address && address < each.address + each.size,
  );
  return isIn ? address : undefined;
}

function formatPoint({ symbol, fileOffset, address }: NonNullable<SelectorActions['goOn']>): string {
  if (symbol !== undefined) return `function ${symbol}`;
  return fileOffset === undefined ? `address 0x${(address ?? 0n).toString(16)}` : `offset 0x${fileOffset.toString(16)}`;
}

/** The changes that a static probe makes. Throws KernelError SET_NOT_POSSIBLE or ARG_BEYOND_PROTOTYPE. */
export function argumentChanges(
  hook: CompiledHook,
  points: readonly ProbePoint[],
  features: NativeFeatures,
): ProgramChanges | undefined {
  if (!hasModifyingAction(hook)) return undefined;
  const specs = (hook.actions ?? []).flatMap(({ set }) => {
    if (set === undefined) return [];
    return points.map(({ args }) => ({ index: set.argument, spec: args[set.argument] }));
  });
  const refuse = (index: number, why: string, hint: string): never => {
    const message = `${formatHookPosition(hook)}: argument ${index} of ${hook.call} cannot be set: ${why}`;
    throw new KernelError('SET_NOT_POSSIBLE', message, hint);
  };
  let setsRegisters = false;
  for (const { index, spec } of specs) {
    if (spec === undefined) return refuse(index, 'there is no such argument', 'argIndex counts from 0');
    const where = spec.slice(spec.indexOf('@') + 1);
    if (/^\$?-?\d+$/.test(where)) refuse(index, `it is a constant (${spec})`, 'set another argument');
    if (/[([]/.test(where)) continue;
    if (!features.uprobeRegisters.available) refuse(index, `it is in a register (${spec})`, NEWER);
    setsRegisters = true;
  }
  return { assignments: [], setsRegisters };
}
