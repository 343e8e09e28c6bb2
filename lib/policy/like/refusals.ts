/** Parts of a policy that polytrace loads and Tetragon refuses, and the reverse. */
import { markActions } from '../model/marks.js';
import { compileRegExp } from '../model/lists.js';
import { findFilteredArg } from '../model/arguments.js';
import type { Span } from '../parse/positions.js';
import {
  comparison,
  filterSpans,
  listFilters,
  listSelectors,
  type ComparedPolicy,
  type DifferenceTable,
  type PlacedFilter,
} from './difference.js';

/** Limits of Tetragon. */
const SELECTORS_MAX = 5;
const VALUES_MAX = 8;
const FOLLOWING_MAX = 64;

export const REFUSAL_DIFFERENCES = {
  selectorCount: {
    code: 'TETRAGON_REFUSES',
    message: `Tetragon takes at most ${SELECTORS_MAX} selectors of a hook; polytrace takes 64`,
    hint: 'write alternatives as values of one filter, or make a second policy',
    find: (policy) =>
      policy.hooks.flatMap(({ data }) => {
        const extra = data.selectors?.[SELECTORS_MAX];
        return extra === undefined ? [] : [policy.positions.value(extra)];
      }),
  },
  valueCount: {
    code: 'TETRAGON_REFUSES',
    message: `Tetragon takes at most ${VALUES_MAX} values of a filter that compares one by one; polytrace takes thousands`,
    hint: 'use InMap, InRange or Mask, or several selectors',
    find: (policy) =>
      listFilters(policy).flatMap((placed) => {
        const { values = [] } = placed.filter;
        return values.length > VALUES_MAX && isComparedOneByOne(placed)
          ? [policy.positions.value(values, VALUES_MAX)]
          : [];
      }),
  },
  filterOnCommandArguments: {
    code: 'TETRAGON_REFUSES',
    message: 'Tetragon has no matchCmdArgs, and refuses it; polytrace compares the arguments of the command',
    hint: 'hook an exec, such as security_bprm_check, to see programs and their arguments in both',
    find: (policy) =>
      listSelectors(policy).flatMap(({ selector }) =>
        (selector.matchCmdArgs ?? []).length > 0 ? [policy.positions.key(selector, 'matchCmdArgs')] : [],
      ),
  },
  marks: {
    code: 'TETRAGON_REFUSES',
    message:
      'Tetragon has no marks, and refuses Mark, Unmark and matchMarks; polytrace remembers what a process has done',
    hint: 'compare several events in user space to have the same in both',
    find: (policy) =>
      listSelectors(policy).flatMap(({ selector }) => [
        ...((selector.matchMarks ?? []).length > 0 ? [policy.positions.key(selector, 'matchMarks')] : []),
        ...markActions(selector).map(({ data }) => policy.positions.value(data, 'action')),
      ]),
  },
  counts: {
    code: 'TETRAGON_REFUSES',
    message: 'Tetragon has no action Count, and refuses it; polytrace counts calls in the kernel without events',
    hint: 'count the events in user space, such as with the metrics of Tetragon, to have the same in both',
    find: (policy) =>
      listSelectors(policy).flatMap(({ selector: { matchActions = [], matchReturnActions = [] } }) =>
        [...matchActions, ...matchReturnActions]
          .filter(({ action }) => action === 'Count')
          .map((action) => policy.positions.value(action, 'action')),
      ),
  },
  durations: {
    code: 'TETRAGON_REFUSES',
    message:
      'Tetragon has no durations, and refuses matchDuration and the source `duration`; polytrace measures from the entry to the return',
    hint: 'hook the entry and the return as two system call tracepoints, and subtract the times of their events',
    find: (policy) => [
      ...listSelectors(policy).flatMap(({ selector }) =>
        selector.matchDuration === undefined ? [] : [policy.positions.key(selector, 'matchDuration')],
      ),
      ...policy.hooks.flatMap(({ data }) =>
        (data.data ?? []).flatMap((value) =>
          value.source === 'duration' && policy.positions.hasField(value, 'source')
            ? [policy.positions.value(value, 'source')]
            : [],
        ),
      ),
    ],
  },
  pathInContainers: {
    code: 'TETRAGON_REFUSES',
    message: 'Tetragon has no resolvePathInContainer, and refuses it; polytrace looks the path up in each container',
    hint: 'name the file by a path of the host',
    find: (policy) =>
      policy.hooks.flatMap(({ data }) =>
        data.resolvePathInContainer === true ? [policy.positions.key(data, 'resolvePathInContainer')] : [],
      ),
  },
  addressOfAlgorithm: {
    code: 'TETRAGON_REFUSES',
    message: 'Tetragon has no type sockaddr_alg, and refuses it; polytrace reads the address of the algorithm',
    hint: 'read a member with btfType and resolve, such as salg_name of sockaddr_alg',
    find: (policy) =>
      policy.hooks.flatMap(({ data: { args = [] } }) =>
        args.flatMap((arg) => (arg.type === 'sockaddr_alg' ? [policy.positions.value(arg, 'type')] : [])),
      ),
  },
  followingCount: {
    code: 'TETRAGON_REFUSES',
    message: `Tetragon takes at most ${FOLLOWING_MAX} filters with followChildren; polytrace takes 256`,
    hint: 'write the paths as values of one filter',
    find: (policy) => {
      const following = listSelectors(policy)
        .flatMap(({ selector }) => [...(selector.matchBinaries ?? []), ...(selector.matchParentBinaries ?? [])])
        .filter(({ followChildren }) => followChildren === true);
      const extra = [...new Set(following)][FOLLOWING_MAX];
      return extra === undefined ? [] : [policy.positions.key(extra, 'followChildren')];
    },
  },
  kindsOfHooks: {
    code: 'TETRAGON_REFUSES',
    message: 'Tetragon takes one kind of hooks in a policy; polytrace takes any number',
    hint: 'write a policy for each kind',
    find: findSecondKind,
  },
  indexIsPosition: {
    code: 'TETRAGON_REFUSES',
    message: 'no field of this tracepoint has this index, so Tetragon refuses it; polytrace takes it as a position',
    hint: 'write the `index` of the field',
    find: (policy) =>
      listFilters(policy).flatMap(({ hook, list, filter }) => {
        const { args = [] } = hook.data;
        if (hook.kind !== 'tracepoints' || list !== 'matchArgs' || filter.args !== undefined) return [];
        const isField = args.some(({ index }) => index === (filter.index ?? 0));
        if (isField || findFilteredArg(hook, args, filter) === undefined) return [];
        return [policy.positions.value(filter, 'index')];
      }),
  },
  listPattern: {
    code: 'TETRAGON_REFUSES',
    message:
      "Tetragon reads patterns in Go's syntax, which has no look-around and no back-reference; polytrace has both",
    hint: 'write the pattern without them',
    find: (policy) =>
      (policy.data.spec?.lists ?? []).flatMap((list) => {
        const { pattern } = list;
        return pattern !== undefined && compileRegExp(pattern) instanceof RegExp && NOT_IN_GO.test(pattern)
          ? [policy.positions.value(list, 'pattern')]
          : [];
      }),
  },
  inodeFilter: {
    code: 'TETRAGON_IGNORES',
    message: 'Tetragon has no field `inode`, and compares the path only; polytrace also finds other paths of the file',
    hint: 'add a hook on security_path_link to see hard links there',
    find: (policy) =>
      listFilters(policy).flatMap(({ filter }) =>
        filter.inode === true ? [policy.positions.key(filter, 'inode')] : [],
      ),
  },
  optionalHook: {
    code: 'TETRAGON_IGNORES',
    message:
      'Tetragon has no field `optional`, and refuses the policy where the target is missing; polytrace skips the hook',
    hint: 'use `ignore: {callNotFound: true}` for functions of the kernel',
    find: (policy) =>
      policy.hooks.flatMap(({ data }) => (data.optional === true ? [policy.positions.key(data, 'optional')] : [])),
  },
  portOfLocalSocket: {
    code: 'TETRAGON_ACCEPTS',
    message: 'Tetragon loads a filter on the port of a sockaddr_un; polytrace refuses it',
    hint: 'remove it: a local socket has no port',
    find: (policy) =>
      filterSpans(
        policy,
        ({ arg, filter }) => arg?.type === 'sockaddr_un' && /Port|Addr|Priv/.test(filter.operator ?? ''),
      ),
  },
} satisfies DifferenceTable;

function isComparedOneByOne(placed: PlacedFilter): boolean {
  return comparison(placed) === 'number' && !/InMap$/.test(placed.filter.operator ?? '');
}

function findSecondKind({ hooks, positions, data }: ComparedPolicy): Span[] {
  const second = hooks.find(({ kind }) => kind !== hooks[0]?.kind);
  return second === undefined || data.spec === undefined ? [] : [positions.key(data.spec, second.kind)];
}

/** Look-around, and references to groups by number or name. */
const NOT_IN_GO = /\(\?<?[=!]|\\[1-9]|\\k</;
