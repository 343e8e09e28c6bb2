/** Locates the values of a tracepoint that is not raw: they are fields of its record on this kernel. */
import { formatHookPosition, formatValuePosition, hookValues } from '../compiled/compiled-hook.js';
import type { KernelInfo, TracepointField } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import type { CompiledHook, CompiledValue } from '../compiled/compiled-policy.js';
import { MOUNT_TRACEFS } from '../native/preflight.js';
import { findFieldAccess } from '../policy/index.js';
import { fieldStart, isFailure, resolveSteps } from '../policy/index.js';
import { type FieldLocation } from '../wire/encode/context.js';
import { needsPointer } from '../wire/reads.js';
import { followLast } from './values.js';
import { findLength } from './sizes.js';

const FOLLOW = { offset: 0, follow: true };

/** Returns the location of each value by its slot. Throws KernelError if a value cannot be read from its field. */
export function locateFields(hook: CompiledHook, kernel: KernelInfo): Map<number, FieldLocation> {
  const result = new Map<number, FieldLocation>();
  const { tracepoint } = hook;
  if (hook.kind !== 'tracepoint' || tracepoint === undefined) return result;
  const fields = kernel.tracepoint(tracepoint.subsystem, tracepoint.event)?.fields;
  if (fields === undefined) {
    throw new KernelError(
      'HOOK_NOT_FOUND',
      `${formatHookPosition(hook)}: the format of the tracepoint ${hook.call} cannot be read`,
      `mount tracefs: ${MOUNT_TRACEFS}; \`raw: true\` needs none`,
    );
  }
  hookValues(hook).forEach((value, slot) => {
    if (value.source !== undefined || value.type === 'nop') return;
    const location = locateField(fields[value.index], value, tracepoint.subsystem, kernel);
    const size = locateSize(fields, value);
    if (location === undefined || (value.sizeArgIndex !== undefined && size === undefined)) {
      const message = `${formatValuePosition(hook, value)}: ${value.type} cannot be read from field ${value.index} of ${hook.call}`;
      throw new KernelError('ARG_TYPE_MISMATCH', message, '`polytrace validate` shows the type of the field');
    }
    result.set(slot, size === undefined ? location : { ...location, size });
  });
  return result;
}

/** The tracepoints of system calls have 8 bytes for each parameter. */
const INT_TYPE = /^(unsigned )?int$|^(__)?u32$|^socklen_t$/;

/** Locates the field that contains the length of the buffer or the address. */
function locateSize(fields: readonly TracepointField[], value: CompiledValue): FieldLocation['size'] {
  const param = value.sizeArgIndex ?? findLength(value, fields);
  const field = param === undefined ? undefined : fields[param - 1];
  const read = field && findFieldAccess(field, 'uint64');
  if (param === undefined || read === undefined || field === undefined) return undefined;
  return { param, offset: field.offset, width: INT_TYPE.test(field.type) ? Math.min(4, read.width) : read.width };
}

function locateField(
  field: TracepointField | undefined,
  value: CompiledValue,
  subsystem: string,
  kernel: KernelInfo,
): FieldLocation | undefined {
  if (field === undefined) return undefined;
  const { offset } = field;
  if (value.resolve !== undefined && value.resolve !== '') return locateMember(field, value, kernel);
  const read = findFieldAccess(field, value.type);
  if (read === undefined) return undefined;
  const isPointer = read.at === 'pointer';
  // Fields of tracepoints of system calls contain the parameters of the call, which are user addresses.
  const memory = !isPointer ? 'kernel' : subsystem === 'syscalls' ? 'user' : 'by-address';
  return { offset, width: read.width, steps: isPointer ? [FOLLOW] : [], isDataLoc: read.at === 'location', memory };
}

function locateMember(field: TracepointField, value: CompiledValue, kernel: KernelInfo): FieldLocation | undefined {
  const start = fieldStart(kernel, field, value);
  if (start === undefined || isFailure(start)) return undefined;
  const resolved = resolveSteps(start, value.resolve as string);
  if (isFailure(resolved)) return undefined;
  const steps = needsPointer(value.type) && resolved.end.isPointer ? followLast(resolved.steps) : resolved.steps;
  return {
    offset: field.offset,
    width: resolved.end.width,
    steps: [FOLLOW, ...steps],
    isDataLoc: false,
    memory: 'kernel',
  };
}
