/** Attaches a hook to a function of a program or library, or to several attach points in it. */
import { KernelError } from '../errors.js';
import { readElfFile } from '../elf-files/host-files.js';
import { fileOffset } from '../elf/elf-info.js';
import { withVerifiedFile } from '../elf-files/verified-file.js';
import { formatHookPosition, hasModifyingAction, hasReturnProgram } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { checkFileAnswers } from './answering-file.js';
import { attachUprobes } from './multiple-uprobes.js';
import type { NativeError } from '../native/native-error.js';
import { overrideChanges } from './program-changes.js';
import type { AttachResult, AttachRequest } from './request.js';
import { attachSingle, checkFeature, skipIfMissing } from './single.js';

export function attachUprobe(request: AttachRequest): Promise<AttachResult | undefined> {
  const { hook } = request;
  return skipIfMissing(request, async () => {
    await checkFileAnswers(hook, filePath(request));
    return hook.places === undefined ? attachOne(request) : attachSeveral(request);
  });
}

const filePath = ({ hook, file }: AttachRequest): string => file ?? hook.program?.path ?? '';

async function attachOne(request: AttachRequest): Promise<AttachResult | undefined> {
  const { hook, context } = request;
  const { symbol = '', refCtrOffset } = hook.program ?? {};
  const returns = hasReturnProgram(hook);
  const offset = await resolveOffset(request);
  const programChanges = await overrideChanges(hook, context.features, returns, filePath(request));
  const name = targetName(hook);
  checkFeature(request, 'uprobe', name);
  const attachWith = (
    mechanism: 'uprobe' | 'uprobe.multi',
    path: string,
    place = { target: symbol, offset },
  ): Promise<AttachResult> =>
    attachSingle(request, {
      attachment: {
        mechanism,
        path,
        ...place,
        ...(refCtrOffset === undefined ? {} : { counter: refCtrOffset }),
        entry: true,
        return: returns,
      },
      attach: returns ? 'uprobe+uretprobe' : 'uprobe',
      name,
      feature: 'uprobe',
      programChanges,
    });
  return withProgramFile(request, async (path) => {
    if (canUseMultiLink(request, offset)) {
      // for uprobe.multi links, libbpf refuses some symbols, such as one that the file has twice
      const attached = await undefinedIfNotFound(attachWith('uprobe.multi', path));
      if (attached !== undefined) return attached;
    }
    try {
      return await attachWith('uprobe', path);
    } catch (error) {
      const goOffset = isNotFound(error) ? await findGoFunction(path, symbol) : undefined;
      if (goOffset === undefined) throw error;
      return attachWith('uprobe', path, { target: '', offset: goOffset + offset });
    }
  });
}

const isNotFound = (error: unknown): boolean => (error as NativeError).code === 'HOOK_NOT_FOUND';

async function undefinedIfNotFound<T>(attached: Promise<T>): Promise<T | undefined> {
  try {
    return await attached;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Returns the offset in the file of a function that libbpf does not find: a stripped Go program has it in its own table. */
async function findGoFunction(path: string, symbol: string): Promise<bigint | undefined> {
  const elf = symbol === '' ? undefined : await readElfFile(path, [symbol]);
  const address = elf?.symbols.get(symbol) ?? undefined;
  return elf && address !== undefined ? fileOffset(elf, address) : undefined;
}

/**
 * True if a uprobe.multi link can attach the hook. The kernel removes such links in parallel. It removes uprobes one after
 * the other, which takes 100 ms for each. For uprobe.multi links, libbpf resolves a symbol only without an offset.
 */
function canUseMultiLink({ hook, context }: AttachRequest, offset: bigint): boolean {
  if (!context.features.uprobeMulti.available || hook.singleLinks === true || hasModifyingAction(hook)) return false;
  return hook.program?.symbol === undefined || offset === 0n;
}

async function attachSeveral(request: AttachRequest): Promise<AttachResult | undefined> {
  const { hook, context } = request;
  const programChanges = await overrideChanges(hook, context.features, hasReturnProgram(hook), filePath(request));
  checkFeature(request, 'uprobe', targetName(hook));
  return withProgramFile(request, (path) => attachUprobes(request, path, programChanges));
}

function targetName(hook: CompiledHook): string {
  return `${hook.program?.path ?? ''}:${hook.call}`;
}

/** Calls `use` with the path of the program, if the program has one of the policy's digests. */
async function withProgramFile(
  request: AttachRequest,
  use: (path: string) => Promise<AttachResult | undefined>,
): Promise<AttachResult | undefined> {
  const { hook } = request;
  const { digests, ignoreDigests } = hook.program ?? {};
  const path = filePath(request);
  if (digests === undefined) return use(path);
  let attached: AttachResult | undefined;
  const found = await withVerifiedFile(path, digests, async (own) => {
    attached = await use(own);
  });
  if (found === 'missing') throw fileError(hook, hook.program?.path ?? path);
  if (found === 'other' && ignoreDigests !== true) throw digestError(hook);
  return attached;
}

function fileError(hook: CompiledHook, path: string): KernelError {
  return new KernelError('HOOK_NOT_FOUND', `${formatHookPosition(hook)}: ${path} cannot be read`, 'check the path');
}

function digestError(hook: CompiledHook): KernelError {
  return new KernelError(
    'DIGEST_MISMATCH',
    `${formatHookPosition(hook)}: ${targetName(hook)}: the file has none of the policy's digests`,
    'the file is another version; with `ignore: {digestVerificationFailure: true}` the hook is skipped in this case',
  );
}

/** Returns the offset in bytes from the symbol, or from the start of the file. */
async function resolveOffset(request: AttachRequest): Promise<bigint> {
  const { hook } = request;
  const { path = '', symbolOffset, fileOffset: offset, address } = hook.program ?? {};
  if (address === undefined) return symbolOffset ?? offset ?? 0n;
  const elf = await readElfFile(filePath(request), []);
  const found = elf ? fileOffset(elf, address) : undefined;
  if (found !== undefined) return found;
  throw new KernelError(
    'HOOK_NOT_FOUND',
    `${formatHookPosition(hook)}: ${path} has nothing at the address ${hook.call}, or is not an ELF file`,
    'use addresses as nm and objdump show them for the file',
  );
}
