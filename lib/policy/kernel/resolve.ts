/** Turns a path of members into byte offsets. The BPF programs follow them to the value. */
import { RESOLVE_STEPS_MAX } from '../language/limits.js';
import type { DiagnosticCode } from '../parse/codes.js';
import type { FunctionInfo, KernelInfo, MemberInfo, TracepointField, TypeInfo } from '../../../types/kernel.js';
import type { CompiledValue } from '../../compiled/compiled-policy.js';
import { findNearestName } from '../parse/nearest-name.js';
import { quote } from '../parse/report.js';
import { pointedStruct } from './fields.js';
import { formatType } from './format-type.js';
import { unwrapNumber } from './value-types.js';

/** One step adds `offset` to the address. With `follow`, it then reads the pointer at that address. */
interface ResolveStep {
  readonly offset: number;
  readonly follow: boolean;
}

/** The value at the end of the path. */
interface ResolvedValue {
  readonly type: TypeInfo;
  /** Size of a number or pointer in bytes; 0 for anything else. */
  readonly width: number;
  readonly signed: boolean;
  readonly isPointer: boolean;
  /** Size of an array in bytes, such as a name that is part of its struct; 0 for anything else. */
  readonly arrayBytes: number;
}

export interface ResolvedPath {
  /**
   * The steps to the address of the value. If the value is a pointer (`end.isPointer`) to an object or a string, the
   * reader follows it too.
   */
  readonly steps: readonly ResolveStep[];
  readonly end: ResolvedValue;
}

export interface ResolveFailure {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly hint: string;
}

/** The members of a value that determine where `resolve` starts. */
export type ResolveStart = Pick<CompiledValue, 'index' | 'source' | 'btfType' | 'btfTypeModule'>;

/**
 * The type that `resolve` starts from: the task, the struct that btfType names, or the type of the parameter. With
 * `returned`, it is the return type of the function. Undefined if neither the policy nor the kernel gives a type.
 */
export function startType(
  kernel: KernelInfo,
  value: ResolveStart,
  prototype: FunctionInfo | undefined,
  returned = false,
): TypeInfo | ResolveFailure | undefined {
  if (value.source === 'current_task') return kernel.struct('task_struct');
  if (value.btfType !== undefined) {
    return (
      kernel.struct(value.btfType, value.btfTypeModule) ??
      unknownTypeFailure(kernel, value.btfType, value.btfTypeModule)
    );
  }
  return returned ? prototype?.returns : prototype?.params[value.index]?.type;
}

/** The struct that a field of a tracepoint points to; undefined if the field is not a pointer or its target is unknown. */
export function fieldStart(
  kernel: KernelInfo,
  field: TracepointField,
  value: ResolveStart,
): TypeInfo | ResolveFailure | undefined {
  if (!field.type.endsWith('*')) return undefined;
  const btfType = value.btfType ?? pointedStruct(field);
  return btfType === undefined ? undefined : startType(kernel, { ...value, btfType }, undefined);
}

function unknownTypeFailure(kernel: KernelInfo, btfType: string, module: string | undefined): ResolveFailure {
  const where = module === undefined ? kernel.name : `the module ${quote(module)} of ${kernel.name}`;
  const close = module === undefined ? findNearestName(btfType, kernel.structNames()) : undefined;
  const hint =
    module !== undefined
      ? 'the module must be loaded, and must have been built with BTF'
      : close === undefined
        ? 'write the name of a struct, without the word struct'
        : `did you mean ${quote(close)}?`;
  return { code: 'BTF_TYPE_UNKNOWN', message: `${where} has no struct ${quote(btfType)}`, hint };
}

export function isFailure<T extends object>(result: T | ResolveFailure): result is ResolveFailure {
  return 'code' in result;
}

/**
 * Follows the members one after the other. `start` is the struct that the parameter points to, or the pointer to it.
 */
export function resolveSteps(start: TypeInfo, resolve: string): ResolvedPath | ResolveFailure {
  const walk = new MemberWalk(start);
  for (const name of resolve.match(/[A-Za-z_]\w*|\[\d+\]/g) ?? []) {
    const failure = name.startsWith('[') ? walk.enterElement(name) : walk.enterMember(name);
    if (failure !== undefined) return failure;
  }
  return walk.finish();
}

/** Walks from a type through members and elements, and collects the steps. */
class MemberWalk {
  readonly #steps: ResolveStep[] = [];
  /** True until the first step. The parameter then points to one object, or to the first of several. */
  #isStart = true;
  #type: TypeInfo;
  /** Bytes since the last pointer that was followed. */
  #offset = 0;
  #currentName: string;

  constructor(start: TypeInfo) {
    // The value of the parameter is already the address of the object.
    this.#type = start.kind === 'pointer' ? (start.target() ?? start) : start;
    this.#currentName = formatType(start);
  }

  enterMember(name: string): ResolveFailure | undefined {
    this.#isStart = false;
    const container = this.#type.kind === 'pointer' ? this.#type.target() : this.#type;
    if (container?.kind !== 'struct' && container?.kind !== 'union') {
      return this.#wrongTypeFailure(`which has no members`, `end the path before ${name}`);
    }
    const members = container.members();
    const found = members.find((candidate) => candidate.name === name);
    if (found === undefined) return noMemberFailure(name, container, members);
    if (found.bitfieldSize > 0 || found.bitOffset % 8 !== 0) {
      const message = `${quote(name)} of ${formatType(container)} is a bit field of ${found.bitfieldSize} bits`;
      return { code: 'RESOLVE_BITFIELD', message, hint: 'bit fields cannot be read: use another member' };
    }
    if (this.#type.kind === 'pointer') this.#follow();
    this.#offset += found.bitOffset / 8;
    this.#type = found.type;
    this.#currentName = name;
    return undefined;
  }

  enterElement(index: string): ResolveFailure | undefined {
    if (this.#isStart && this.#type.kind !== 'array') {
      this.#isStart = false;
      if (this.#type.size === 0) return this.#wrongTypeFailure('whose size is not known', 'name the type with btfType');
      this.#offset += Number(index.slice(1, -1)) * this.#type.size;
      this.#currentName += index;
      return undefined;
    }
    this.#isStart = false;
    const element = this.#type.kind === 'array' || this.#type.kind === 'pointer' ? this.#type.target() : undefined;
    if (element === undefined) return this.#wrongTypeFailure('which has no elements', `remove ${index}`);
    if (this.#type.kind === 'pointer') this.#follow();
    else if (this.#isOutOfBounds(Number(index.slice(1, -1)), element)) {
      const count = Math.floor(this.#type.size / element.size);
      const message = `${this.#currentName} has ${count} elements, so there is no ${index}`;
      return { code: 'RESOLVE_NO_MEMBER', message, hint: 'elements count from 0' };
    }
    this.#offset += Number(index.slice(1, -1)) * element.size;
    this.#type = element;
    this.#currentName += index;
    return undefined;
  }

  /** False for an array without a size, whose length is in another member of its struct. */
  #isOutOfBounds(index: number, element: TypeInfo): boolean {
    return this.#type.size > 0 && element.size > 0 && (index + 1) * element.size > this.#type.size;
  }

  finish(): ResolvedPath | ResolveFailure {
    const { kind, size, signed } = unwrapNumber(this.#type);
    const steps = this.#offset === 0 ? this.#steps : [...this.#steps, { offset: this.#offset, follow: false }];
    if (steps.length > RESOLVE_STEPS_MAX || steps.some(({ offset }) => offset >= 2 ** 32)) {
      const message = `${this.#currentName} is more than ${RESOLVE_STEPS_MAX} pointers away`;
      return { code: 'LIMIT_RESOLVE', message, hint: 'start from a parameter that is closer to the value' };
    }
    const isNumber = kind === 'int' || kind === 'enum' || kind === 'pointer';
    return {
      steps,
      end: {
        type: this.#type,
        width: isNumber ? size : 0,
        signed: isNumber && signed,
        isPointer: kind === 'pointer',
        arrayBytes: kind === 'array' ? size : 0,
      },
    };
  }

  #follow(): void {
    this.#steps.push({ offset: this.#offset, follow: true });
    this.#type = this.#type.target() ?? this.#type;
    this.#offset = 0;
  }

  #wrongTypeFailure(what: string, hint: string): ResolveFailure {
    return {
      code: 'RESOLVE_NOT_A_STRUCT',
      message: `${this.#currentName} is ${formatType(this.#type)}, ${what}`,
      hint,
    };
  }
}

function noMemberFailure(name: string, container: TypeInfo, members: readonly MemberInfo[]): ResolveFailure {
  const names = members.map((member) => member.name);
  const close = findNearestName(name, names);
  const some = `it has ${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''}`;
  const hint = close === undefined ? some : `did you mean ${quote(close)}?`;
  return { code: 'RESOLVE_NO_MEMBER', message: `${formatType(container)} has no member ${quote(name)}`, hint };
}
