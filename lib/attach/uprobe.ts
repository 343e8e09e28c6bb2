/** Attaches a hook to a function of a program or library, or to several places in it. */
import { KernelError } from '../errors.js';
import { elfInTurns } from '../elf/elf.js';
import { fileOffset } from '../elf/elf-info.js';
import { withVerified } from '../elf/verified.js';
import { hookPlace, overrides, seesReturn } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { attachPlaces } from './places.js';
import type { NativeError } from '../native/native-error.js';
import { overrideChanges } from './program-changes.js';
import type { Attached, AttachRequest } from './request.js';
import { attachSingle, checkFeature, ifThere } from './single.js';

export function attachUprobe(request: AttachRequest): Promise<Attached | undefined> {
  return ifThere(request, () => (request.hook.places === undefined ? attachOne(request) : attachSeveral(request)));
}

async function attachOne(request: AttachRequest): Promise<Attached | undefined> {
  const { hook, context } = request;
  const { symbol = '', refCtrOffset } = hook.program ?? {};
  const returns = seesReturn(hook);
  const offset = await offsetOf(hook);
  const programChanges = await overrideChanges(hook, context.features, returns);
  const name = nameOf(hook);
  checkFeature(request, 'uprobe', name);
  const attachBy = (mechanism: 'uprobe' | 'uprobe.multi', path: string): Promise<Attached> =>
    attachSingle(request, {
      attachment: {
        mechanism,
        target: symbol,
        path,
        offset,
        ...(refCtrOffset === undefined ? {} : { counter: refCtrOffset }),
        entry: true,
        return: returns,
      },
      attach: returns ? 'uprobe+uretprobe' : 'uprobe',
      name,
      feature: 'uprobe',
      programChanges,
    });
  return withFile(hook, async (path) => {
    if (!canShare(request, offset)) return attachBy('uprobe', path);
    try {
      return await attachBy('uprobe.multi', path);
    } catch (error) {
      // For these links, libbpf refuses some symbols, such as one that the file has twice.
      if ((error as NativeError).code !== 'HOOK_NOT_FOUND') throw error;
      return attachBy('uprobe', path);
    }
  });
}

/**
 * True if a uprobe.multi link can attach the hook. The kernel removes such links in parallel, but one uprobe after the other,
 * for 100 ms each. libbpf resolves symbols for these links only without an offset.
 */
function canShare({ hook, context }: AttachRequest, offset: bigint): boolean {
  if (!context.features.uprobeMulti.available || hook.singleLinks === true || overrides(hook)) return false;
  return hook.program?.symbol === undefined || offset === 0n;
}

async function attachSeveral(request: AttachRequest): Promise<Attached | undefined> {
  const { hook, context } = request;
  const programChanges = await overrideChanges(hook, context.features, seesReturn(hook));
  checkFeature(request, 'uprobe', nameOf(hook));
  return withFile(hook, (path) => attachPlaces(request, path, programChanges));
}

function nameOf(hook: CompiledHook): string {
  return `${hook.program?.path ?? ''}:${hook.call}`;
}

/** Calls `use` with the path of the program, if the program has one of the policy's digests. */
async function withFile(
  hook: CompiledHook,
  use: (path: string) => Promise<Attached | undefined>,
): Promise<Attached | undefined> {
  const { path = '', digests, ignoreDigests } = hook.program ?? {};
  if (digests === undefined) return use(path);
  let attached: Attached | undefined;
  const found = await withVerified(path, digests, async (own) => {
    attached = await use(own);
  });
  if (found === 'missing') throw noFile(hook, path);
  if (found === 'other' && ignoreDigests !== true) throw noDigest(hook);
  return attached;
}

function noFile(hook: CompiledHook, path: string): KernelError {
  return new KernelError('HOOK_NOT_FOUND', `${hookPlace(hook)}: ${path} cannot be read`, 'check the path');
}

function noDigest(hook: CompiledHook): KernelError {
  return new KernelError(
    'DIGEST_MISMATCH',
    `${hookPlace(hook)}: ${nameOf(hook)}: the file has none of the policy's digests`,
    'the file is another version; with `ignore: {digestVerificationFailure: true}` the hook is skipped in this case',
  );
}

/** The offset in bytes from the symbol, or from the start of the file. */
async function offsetOf(hook: CompiledHook): Promise<bigint> {
  const { path = '', symbolOffset, fileOffset: offset, address } = hook.program ?? {};
  if (address === undefined) return symbolOffset ?? offset ?? 0n;
  const elf = await elfInTurns(path);
  const found = elf ? fileOffset(elf, address) : undefined;
  if (found !== undefined) return found;
  throw new KernelError(
    'HOOK_NOT_FOUND',
    `${hookPlace(hook)}: ${path} has nothing at the address ${hook.call}, or is not an ELF file`,
    'use addresses as nm and objdump show them for the file',
  );
}
