/** Finds the values of a tracepoint that is not raw: they are fields of its record on this kernel. */
import { hookPlace, valuePlace, valuesOf } from '../compiled/compiled-hook.js';
import type { KernelInfo, TracepointField } from '../../types/kernel.js';
import { KernelError } from '../errors.js';
import type { CompiledHook, CompiledValue } from '../compiled/compiled-policy.js';
import { MOUNT_TRACEFS } from '../native/preflight.js';
import { readField } from '../policy/index.js';
import { fieldStart, isFailure, resolveSteps } from '../policy/index.js';
import { type FieldPlace } from '../wire/encode/context.js';
import { needsPointer } from '../wire/reads.js';
import { followLast } from './values.js';

const FOLLOW = { offset: 0, follow: true };

/** Returns the place of each value by its slot. Throws KernelError if a value cannot be read from its field. */
export function fieldsOf(hook: CompiledHook, kernel: KernelInfo): Map<number, FieldPlace> {
  const result = new Map<number, FieldPlace>();
  const { tracepoint } = hook;
  if (hook.kind !== 'tracepoint' || tracepoint === undefined) return result;
  const fields = kernel.tracepoint(tracepoint.subsystem, tracepoint.event)?.fields;
  if (fields === undefined) {
    throw new KernelError(
      'HOOK_NOT_FOUND',
      `${hookPlace(hook)}: the format of the tracepoint ${hook.call} cannot be read`,
      `mount tracefs: ${MOUNT_TRACEFS}; \`raw: true\` needs none`,
    );
  }
  valuesOf(hook).forEach((value, slot) => {
    if (value.source !== undefined || value.type === 'nop') return;
    const place = fieldPlace(fields[value.index], value, tracepoint.subsystem, kernel);
    const size = sizePlace(fields, value);
    if (place === undefined || (value.sizeArgIndex !== undefined && size === undefined)) {
      const message = `${valuePlace(hook, value)}: ${value.type} cannot be read from field ${value.index} of ${hook.call}`;
      throw new KernelError('ARG_TYPE_MISMATCH', message, '`polytrace validate` shows the type of the field');
    }
    result.set(slot, size === undefined ? place : { ...place, size });
  });
  return result;
}

/** The field that says how long the buffer is. */
function sizePlace(fields: readonly TracepointField[], { sizeArgIndex }: CompiledValue): FieldPlace['size'] {
  const field = sizeArgIndex === undefined ? undefined : fields[sizeArgIndex - 1];
  const read = field && readField(field, 'uint64');
  return read === undefined || field === undefined ? undefined : { offset: field.offset, width: read.width };
}

function fieldPlace(
  field: TracepointField | undefined,
  value: CompiledValue,
  subsystem: string,
  kernel: KernelInfo,
): FieldPlace | undefined {
  if (field === undefined) return undefined;
  const { offset } = field;
  if (value.resolve !== undefined && value.resolve !== '') return resolvedPlace(field, value, kernel);
  const read = readField(field, value.type);
  if (read === undefined) return undefined;
  const isPointer = read.at === 'pointer';
  // Fields of tracepoints of system calls contain the parameters of the call, which are user addresses.
  const memory = !isPointer ? 'kernel' : subsystem === 'syscalls' ? 'user' : 'by-address';
  return { offset, width: read.width, steps: isPointer ? [FOLLOW] : [], isLocation: read.at === 'location', memory };
}

function resolvedPlace(field: TracepointField, value: CompiledValue, kernel: KernelInfo): FieldPlace | undefined {
  const start = fieldStart(kernel, field, value);
  if (start === undefined || isFailure(start)) return undefined;
  const resolved = resolveSteps(start, value.resolve as string);
  if (isFailure(resolved)) return undefined;
  const steps = needsPointer(value.type) && resolved.end.isPointer ? followLast(resolved.steps) : resolved.steps;
  return {
    offset: field.offset,
    width: resolved.end.width,
    steps: [FOLLOW, ...steps],
    isLocation: false,
    memory: 'kernel',
  };
}
