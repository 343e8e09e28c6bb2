/** Encodes how the BPF programs read each value of a hook: struct value_config. Pure. */
import { isReadAtReturn, isReturnSlot } from '../../compiled/compiled-hook.js';
import type { CompiledHook, CompiledValue } from '../../compiled/compiled-policy.js';
import { argType } from '../../names/arg-types.js';
import { ResolveStep, ValueConfig, ValueMemory, ValueRead, ValueSource, ValueWidth } from '../layout.gen.js';
import { isSizeReturned, READS, valueCapacity, valueMemory, valueSource } from '../reads.js';
import type { EncodeContext, FieldLocation } from './context.js';
import { encodeTable } from './objects.js';

/** Encodes one value of the hook as struct value_config at offset `at`. */
export function encodeValue(
  view: DataView,
  at: number,
  hook: CompiledHook,
  slot: number,
  value: CompiledValue,
  context: EncodeContext,
): void {
  const setU8 = (offset: number, number: number): void => view.setUint8(at + offset, number);
  const isReturn = isReturnSlot(hook, slot);
  const facts = READS[value.type];
  const resolved = context.resolved.get(slot);
  const field = context.fields.get(slot);
  const fromContext = context.helperSlots.has(slot) ? ValueSource.SOURCE_HELPER : valueSource(value, isReturn);
  const source = field === undefined ? fromContext : ValueSource.SOURCE_FIELD;
  const register = context.registers.get(slot);
  const width = field?.width || resolved?.width || register?.bytes || facts.width;
  const steps = field?.steps ?? resolved?.steps ?? [];
  setU8(ValueConfig.read, field?.isDataLoc === true ? ValueRead.READ_DATA_LOC : facts.read);
  setU8(ValueConfig.source, source);
  setU8(ValueConfig.param, isReturn || field !== undefined ? 0 : value.index);
  setU8(
    ValueConfig.width,
    Math.min(facts.width, width) + (argType(value.type).class === 'syscall' ? ValueWidth.WIDTH_SYSCALL : 0),
  );
  setU8(ValueConfig.isSigned, Number(facts.signed && (register === undefined || register.bytes >= facts.width)));
  const isFound = field !== undefined || resolved !== undefined;
  setU8(ValueConfig.indirect, Number(facts.pointed || (isFound && facts.width > 0)));
  setU8(ValueConfig.readAtReturn, Number(context.pair && (isReturn || isReadAtReturn(value))));
  setU8(
    ValueConfig.memory,
    field === undefined ? valueMemory(source, hook, resolved !== undefined) : FIELD_MEMORY[field.memory],
  );
  const size = context.sizes.get(slot);
  setU8(ValueConfig.sizeParam, field?.size?.param ?? size?.param ?? 0);
  setU8(ValueConfig.sizeWidth, field?.size?.width ?? size?.width ?? 0);
  view.setUint16(at + ValueConfig.sizeField, field?.size?.offset ?? size?.packetLength ?? 0, true);
  setU8(ValueConfig.sizeReturned, Number(isSizeReturned(value)));
  view.setUint16(at + ValueConfig.field, register?.offset ?? field?.offset ?? 0, true);
  view.setUint32(at + ValueConfig.capacity, valueCapacity(value), true);
  encodeTable(view, at + ValueConfig.integers, value.intTable);
  setU8(ValueConfig.stepsCount, steps.length);
  steps.forEach((step, i) => {
    const stepAt = at + ValueConfig.steps + i * ValueConfig.stepsStride;
    view.setUint32(stepAt + ResolveStep.offset, step.offset, true);
    view.setUint32(stepAt + ResolveStep.follow, Number(step.follow), true);
  });
}

const FIELD_MEMORY: Readonly<Record<FieldLocation['memory'], number>> = {
  kernel: ValueMemory.MEMORY_KERNEL,
  user: ValueMemory.MEMORY_USER,
  'by-address': ValueMemory.MEMORY_BY_ADDRESS,
};
