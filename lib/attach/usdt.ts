/** Attaches a hook to a static probe (USDT) of a program. ELF notes in the file contain the attach points of the probe. */
import { KernelError } from '../errors.js';
import { readElfFile } from '../elf-files/host-files.js';
import type { ProbePoint } from '../elf/elf-info.js';
import { formatHookPosition, formatValuePosition, hookValues } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { kernelDetail, type NativeError } from '../native/native-error.js';
import { missingReason } from '../native/preflight.js';
import { checkFileAnswers } from './answering-file.js';
import { notAvailableError } from './mechanisms.js';
import { argumentChanges } from './program-changes.js';
import type { AttachResult, AttachRequest } from './request.js';
import { attachSingle, skipIfMissing } from './single.js';

export function attachUsdt(request: AttachRequest): Promise<AttachResult | undefined> {
  const { hook, context } = request;
  const { path = '', provider = '', name = '' } = hook.usdt ?? {};
  return skipIfMissing(request, async () => {
    await checkFileAnswers(hook, path);
    const points = await findProbePoints(hook);
    return attachSingle(request, {
      attachment: { mechanism: 'usdt', target: name, group: provider, path, entry: true, return: false },
      attach: 'usdt',
      name: `${path}:${hook.call}`,
      feature: 'uprobe',
      explainError: (error) => toCookieError(error, request, path) ?? toEncodingError(error, hook),
      probePoints: points.length,
      programChanges: argumentChanges(hook, points, context.features),
    });
  });
}

/**
 * Rejects with KernelError HOOK_NOT_FOUND or PROBE_ENCODING. Rejects with ARG_BEYOND_PROTOTYPE if an attach point has fewer
 * arguments than the hook reads.
 */
async function findProbePoints(hook: CompiledHook): Promise<readonly ProbePoint[]> {
  const { path = '' } = hook.usdt ?? {};
  const elf = await readElfFile(path, []);
  if (!elf) {
    const why = elf === null ? 'is not an ELF file' : 'cannot be read';
    throw new KernelError('HOOK_NOT_FOUND', `${formatHookPosition(hook)}: ${path} ${why}`, 'check the path');
  }
  const points = elf.probes.get(hook.call);
  if (points === undefined) {
    throw new KernelError(
      'HOOK_NOT_FOUND',
      `${formatHookPosition(hook)}: ${path} has no static probe ${hook.call}`,
      elf.probes.size === 0
        ? 'the file has no static probes'
        : `the file has ${[...elf.probes.keys()].slice(0, 8).join(', ')}`,
    );
  }
  const fewest = Math.min(...points.map(({ args }) => args.length));
  const beyond = hookValues(hook).find((value) => value.source === undefined && value.index >= fewest);
  if (beyond !== undefined) {
    throw new KernelError(
      'ARG_BEYOND_PROTOTYPE',
      `${formatValuePosition(hook, beyond)}: ${hook.call} has ${fewest} arguments, so there is no index ${beyond.index}`,
      'indexes count from 0',
    );
  }
  checkEncodings(hook, points);
  return points;
}

/** Arguments that libbpf can read: in a register, in memory at a constant distance from registers, or a number. */
const READABLE = {
  x64: /^-?\d{1,2}@(?:(?:-?\d{1,18})?\(%\w{2,4}(?:,%\w{2,4}(?:,[1248])?)?\)|%\w{2,5}|\$-?\d{1,18})$/,
  arm64: /^-?\d{1,2}@(?:\[[a-z]\w{1,4}(?:, ?-?\d{1,18})?\]|[a-z]\w{1,4}|-?\d{1,18})$/,
};

/**
 * Throws KernelError PROBE_ENCODING. The file may come from an attacker. If a string ends in the middle of an argument, libbpf
 * takes the length of the argument from uninitialized memory (parse_usdt_arg in usdt.c).
 */
function checkEncodings(hook: CompiledHook, points: readonly ProbePoint[]): void {
  const readable = process.arch === 'arm64' ? READABLE.arm64 : READABLE.x64;
  for (const { args } of points) {
    const index = args.findIndex((arg) => !readable.test(arg));
    if (index >= 0)
      throw encodingError(hook, `unrecognized arg #${index} spec ${JSON.stringify(args[index]?.slice(0, 64))}`);
  }
}

function encodingError(hook: CompiledHook, why: string, detail?: ReturnType<typeof kernelDetail>): KernelError {
  return new KernelError(
    'PROBE_ENCODING',
    `${formatHookPosition(hook)}: the arguments of ${hook.call} cannot be read: ${why}`,
    'use a uprobe at the offset of the probe',
    detail,
  );
}

/** Returns the KernelError for a probe of a library on a kernel without cookies: the program cannot know which probe was hit. */
function toCookieError(error: NativeError, { hook, context }: AttachRequest, path: string): KernelError | undefined {
  if (error.errno !== 'EOPNOTSUPP' || context.features.attachCookie.available) return undefined;
  const why = `attachCookie (${missingReason('attachCookie', context.features)}), which a library needs`;
  return notAvailableError(hook, `${path}:${hook.call}`, why);
}

/** Returns the KernelError for a probe that libbpf refuses because it cannot read one of its arguments. */
function toEncodingError(error: NativeError, hook: CompiledHook): KernelError | undefined {
  const [, why] =
    /usdt: ((?:unrecognized|unsupported) (?:arg|register)[^\n]*|too many USDT arg[^\n]*)/.exec(error.log ?? '') ?? [];
  if (hook.usdt === undefined || why === undefined) return undefined;
  return encodingError(hook, why, kernelDetail(error));
}
