/** Compiles the values that a hook reads, each with its filters. */
import type { CompiledValue } from '../../compiled/compiled-policy.js';
import type { ArgData } from '../model/model.js';
import { normaliseUnixName } from '../model/values.js';
import { ARG_TYPES } from '../language/vocabulary.js';
import type { Clause, Context } from './filters.js';
import { compileIntFilters } from './ints.js';
import { compileNetFilters } from './net.js';
import { compileFamilyGroups, compileFileTypeGroups, compileStringFilters } from './strings.js';

export function compileValue(arg: ArgData, clauses: readonly Clause[], context: Context): CompiledValue {
  const { positions } = context.report;
  return {
    index: arg.index ?? 0,
    type: arg.type ?? 'nop',
    ...(arg.label === undefined ? {} : { label: arg.label }),
    ...compileSource(arg),
    ...(arg.sizeArgIndex ? { sizeArgIndex: arg.sizeArgIndex } : {}),
    ...(arg.returnCopy === true ? { returnCopy: true as const } : {}),
    ...(arg.maxData === true ? { maxData: true as const } : {}),
    ...compileFilters(arg, clauses, context),
    position: positions.toPosition(positions.value(arg)),
  };
}

function compileSource({ source, resolve, btfType, btfTypeModule }: ArgData): Partial<CompiledValue> {
  return {
    // The checks have reported all other sources.
    ...(source === undefined ? {} : { source: source as 'current_task' | 'pt_regs' | 'duration' }),
    ...(resolve ? { resolve } : {}),
    ...(btfType === undefined ? {} : { btfType }),
    ...(btfTypeModule === undefined || btfType === undefined ? {} : { btfTypeModule }),
  };
}

type ValueFilters = Pick<CompiledValue, 'ints' | 'intTable' | 'texts' | 'net'>;
const NO_FILTERS: ValueFilters = { ints: [], texts: {}, net: {} };

function compileFilters({ type = 'nop' }: ArgData, clauses: readonly Clause[], context: Context): ValueFilters {
  switch (ARG_TYPES[type].class) {
    case 'signed':
    case 'unsigned':
    case 'capability':
    case 'capabilities':
    case 'syscall':
      return { ...NO_FILTERS, ...compileIntFilters(clauses, type, context) };
    case 'text':
    case 'path':
    case 'file':
      return { ...NO_FILTERS, ints: compileFileTypeGroups(clauses), texts: compileStringFilters(clauses) };
    case 'unixAddress':
      return {
        ...NO_FILTERS,
        ints: compileFamilyGroups(clauses),
        texts: compileStringFilters(clauses, normaliseUnixName),
      };
    case 'algorithmAddress':
      return { ...NO_FILTERS, ints: compileFamilyGroups(clauses), texts: compileStringFilters(clauses) };
    case 'sock':
    case 'skb':
    case 'sockaddr':
      return { ...NO_FILTERS, net: compileNetFilters(clauses) };
    case 'opaque':
    case 'nop':
    case 'auto':
      return NO_FILTERS;
  }
}
