/** Encodes Count actions: the part of struct hook_config for them, and their maps. Pure. */
import { hasDuration, hasSocketTracking, hookValues } from '../../compiled/compiled-hook.js';
import type {
  CompiledCount,
  CompiledHook,
  CompiledValue,
  CountLabel,
  SelectorActions,
} from '../../compiled/compiled-policy.js';
import {
  ActiveCallSize,
  CountConfig,
  CountKey,
  CountLabel as LabelLayout,
  CountLabelKind,
  CountSum,
  DirectKeySize,
  HookConfig,
} from '../layout.gen.js';
import { READS } from '../reads.js';
import type { EncodeContext } from './context.js';
import { objectOrder } from './objects.js';
import { selectorMask } from './tables.js';

const LABEL_KINDS: Readonly<Record<CountLabel['of'], number>> = {
  number: CountLabelKind.LABEL_NUMBER,
  text: CountLabelKind.LABEL_TEXT,
  address: CountLabelKind.LABEL_ADDRESS,
  port: CountLabelKind.LABEL_PORT,
  device: CountLabelKind.LABEL_DEVICE,
  errno: CountLabelKind.LABEL_ERRNO,
  uid: CountLabelKind.LABEL_UID,
  container: CountLabelKind.LABEL_CGROUP,
  pod: CountLabelKind.LABEL_CGROUP,
  namespace: CountLabelKind.LABEL_CGROUP,
  binary: CountLabelKind.LABEL_BINARY,
  parentBinary: CountLabelKind.LABEL_PARENT_BINARY,
};

const TEXT_LABELS: readonly CountLabel['of'][] = ['text', 'binary', 'parentBinary'];

const isHistogram = ({ kind }: CompiledCount): boolean => kind === 'histogram';

/** True if no selector does anything but count or suppress. */
function isCountingOnly(hook: CompiledHook): boolean {
  const { counts = [], actions = [], returnActions, selectors } = hook;
  const isSilent = ({ order }: SelectorActions): boolean =>
    order.includes('noPost') && order.every((name) => name === 'count' || name === 'noPost');
  return (
    counts.length > 0 &&
    actions.length === selectors &&
    actions.every(isSilent) &&
    returnActions === undefined &&
    !hasSocketTracking(hook)
  );
}

export function encodeCounts(view: DataView, hook: CompiledHook, context: EncodeContext): void {
  const values = hookValues(hook);
  const { counts = [] } = hook;
  if (hasDuration(hook)) {
    view.setUint8(HookConfig.duration, 1);
    view.setUint8(
      HookConfig.durationSlot,
      values.findIndex(({ source }) => source === 'duration'),
    );
  }
  view.setUint8(HookConfig.countsCount, counts.length);
  view.setUint8(HookConfig.countsBuckets, Number(counts.some(isHistogram)));
  const kinds = counts.flatMap(({ labels }) => labels.map(({ of }) => LABEL_KINDS[of]));
  view.setUint16(
    HookConfig.countKinds,
    kinds.reduce((bits, kind) => bits | (1 << kind), 0),
    true,
  );
  if (counts.length === 0) return;
  const isOnly = isCountingOnly(hook);
  const used = counts.flatMap(({ labels, value }) => [...labels.map(({ slot }) => slot), value]);
  const slots = used.reduce<number>((bits, slot) => (slot === undefined ? bits : bits | (1 << slot)), 0);
  const isKeptInPlaces =
    isOnly &&
    context.pair &&
    !context.multiplePoints &&
    values.length <= ActiveCallSize.ACTIVE_CALL_VALUES &&
    objectOrder(hook).length === 0;
  view.setUint8(HookConfig.countsOnly, Number(isOnly));
  view.setUint8(HookConfig.countKeyLabels, Math.max(...counts.map(({ labels }) => labels.length)));
  view.setUint32(HookConfig.countedSlots, slots, true);
  view.setUint32(HookConfig.activeCalls, Number(isKeptInPlaces), true);
  // libbpf loses the names of external variables when it resizes another one: those of static probes have some
  const isKeptDirectly = hook.kind !== 'usdt' && counts.some((count) => count.labels.length > 0 && !isHistogram(count));
  view.setUint32(HookConfig.directKeys, isKeptDirectly ? context.cpus * DirectKeySize.DIRECT_KEYS : 0, true);
  context.countSeed.forEach((seed, i) => view.setBigUint64(HookConfig.countSeed + 8 * i, seed, true));
  counts.forEach((count, i) => encodeCount(view, HookConfig.counts + i * HookConfig.countsStride, count, values));
}

function encodeCount(view: DataView, at: number, count: CompiledCount, values: readonly CompiledValue[]): void {
  const { selectors, labels, value } = count;
  view.setBigUint64(at + CountConfig.selectors, selectorMask(selectors), true);
  view.setUint8(at + CountConfig.labelsCount, labels.length);
  view.setUint8(at + CountConfig.hasValue, Number(value !== undefined));
  view.setUint8(at + CountConfig.slot, value ?? 0);
  view.setUint8(at + CountConfig.isSigned, Number(value !== undefined && READS[typeOf(values, value)].signed));
  view.setUint8(at + CountConfig.hasBuckets, Number(isHistogram(count)));
  labels.forEach(({ of, slot = 0, folders = 0 }, i) => {
    const labelAt = at + CountConfig.labels + i * CountConfig.labelsStride;
    view.setUint8(labelAt + LabelLayout.kind, LABEL_KINDS[of]);
    view.setUint8(labelAt + LabelLayout.slot, slot);
    view.setUint8(labelAt + LabelLayout.folders, folders);
    // The program reads the address of a sockaddr as the source: lib/wire/decode/details.ts.
    view.setUint8(labelAt + LabelLayout.isDestination, Number(typeOf(values, slot) !== 'sockaddr'));
  });
}

const typeOf = (values: readonly CompiledValue[], slot: number): CompiledValue['type'] => values[slot]?.type ?? 'nop';

/** The sizes of the maps of Count actions, and of their parts. A size of 0 means that there is no such map. */
export interface CountSizes {
  readonly keySize: number;
  readonly keys: number;
  readonly texts: number;
  /** Bytes to cut from the end of each struct count_sum. */
  readonly trim: number;
}

export function countSizes({ counts = [] }: CompiledHook): CountSizes {
  const labelled = counts.filter(({ labels }) => labels.length > 0);
  const labels = Math.max(0, ...labelled.map((count) => count.labels.length));
  const textsOfKey = (count: CompiledCount): number => count.labels.filter(({ of }) => TEXT_LABELS.includes(of)).length;
  return {
    keySize: CountKey.words + 8 * (1 + 2 * labels),
    keys: labelled.reduce((sum, { maxKeys }) => sum + maxKeys, 0),
    texts: labelled.reduce((sum, count) => sum + count.maxKeys * textsOfKey(count), 0),
    trim: counts.some(isHistogram) ? 0 : CountSum.sizeof - CountSum.buckets,
  };
}
