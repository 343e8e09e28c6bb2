/** Compiles the values that a hook reads, each with its filters. */
import type { CompiledValue } from '../../compiled/compiled-policy.js';
import type { ArgData } from '../model/model.js';
import { unixName } from '../model/values.js';
import { ARG_TYPES } from '../language/vocabulary.js';
import type { Clause, Context } from './filters.js';
import { intFilters } from './ints.js';
import { netFilters } from './net.js';
import { familyGroups, fileTypeGroups, textFilters } from './texts.js';

export function valueImage(arg: ArgData, clauses: readonly Clause[], context: Context): CompiledValue {
  const { places } = context.report;
  return {
    index: arg.index ?? 0,
    type: arg.type ?? 'nop',
    ...(arg.label === undefined ? {} : { label: arg.label }),
    ...sourceOf(arg),
    ...(arg.sizeArgIndex ? { sizeArgIndex: arg.sizeArgIndex } : {}),
    ...(arg.returnCopy === true ? { returnCopy: true as const } : {}),
    ...(arg.maxData === true ? { maxData: true as const } : {}),
    ...filtersOf(arg, clauses, context),
    position: places.position(places.value(arg)),
  };
}

function sourceOf({ source, resolve, btfType, btfTypeModule }: ArgData): Partial<CompiledValue> {
  return {
    // The checks have refused all other sources.
    ...(source === undefined ? {} : { source: source as 'current_task' | 'pt_regs' }),
    ...(resolve ? { resolve } : {}),
    ...(btfType === undefined ? {} : { btfType }),
    ...(btfTypeModule === undefined || btfType === undefined ? {} : { btfTypeModule }),
  };
}

type Filters = Pick<CompiledValue, 'ints' | 'intTable' | 'texts' | 'net'>;
const NONE: Filters = { ints: [], texts: {}, net: {} };

function filtersOf({ type = 'nop' }: ArgData, clauses: readonly Clause[], context: Context): Filters {
  switch (ARG_TYPES[type].class) {
    case 'signed':
    case 'unsigned':
    case 'capability':
    case 'capabilities':
    case 'syscall':
      return { ...NONE, ...intFilters(clauses, type, context) };
    case 'text':
    case 'path':
    case 'file':
      return { ...NONE, ints: fileTypeGroups(clauses), texts: textFilters(clauses) };
    case 'unixAddress':
      return { ...NONE, ints: familyGroups(clauses), texts: textFilters(clauses, unixName) };
    case 'sock':
    case 'skb':
    case 'sockaddr':
      return { ...NONE, net: netFilters(clauses) };
    default:
      return NONE;
  }
}
