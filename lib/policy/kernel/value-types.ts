/** Finds the argument type that can read a kernel type. */
import type { TypeInfo } from '../../../types/kernel.js';
import { argTypeForStruct, type ArgTypeName } from '../../names/arg-types.js';

/** Undefined if no argument type can read the value. `isBuffer`: the size of the memory behind the pointer is known. */
export function argTypeForBtf(outer: TypeInfo, isBuffer = false): ArgTypeName | undefined {
  const type = isCapabilities(outer) ? outer : unwrapNumber(outer);
  switch (type.kind) {
    case 'int':
    case 'enum':
      return type.name === 'bpf_cmd' ? 'bpf_cmd' : argTypeForInteger(type.size, type.signed);
    case 'pointer': {
      const target = type.target();
      if (target === undefined || target.kind === 'void') return isBuffer ? 'char_buf' : undefined;
      return isCharacter(target) ? (isBuffer ? 'char_buf' : 'string') : argTypeForObject(target);
    }
    case 'array': {
      const element = type.target();
      return element !== undefined && isCharacter(element) ? 'string' : undefined;
    }
    case 'struct':
    case 'union':
    case 'forward':
    case 'function':
    case 'void':
    case 'float':
    case 'other':
      return argTypeForObject(type);
  }
}

/** The number that a struct consists of, such as kuid_t and kgid_t; any other type is returned as it is. */
export function unwrapNumber(type: TypeInfo): TypeInfo {
  if (type.kind !== 'struct' || type.size > 8) return type;
  const [only, ...others] = type.members();
  const isNumber = only !== undefined && others.length === 0 && (only.type.kind === 'int' || only.type.kind === 'enum');
  return isNumber && only.type.size === type.size ? only.type : type;
}

export function isCharacter({ kind, size }: TypeInfo): boolean {
  return kind === 'int' && size === 1;
}

/** True for a set of capabilities: kernel_cap_t, or the struct of older kernels. */
export function isCapabilities({ name, alias }: TypeInfo): boolean {
  return alias === 'kernel_cap_t' || name === 'kernel_cap_struct';
}

function argTypeForObject(type: TypeInfo): ArgTypeName | undefined {
  if (isCapabilities(type)) return 'kernel_cap_t';
  return type.kind === 'struct' || type.kind === 'union' || type.kind === 'forward'
    ? argTypeForStruct(type.name)
    : undefined;
}

export function argTypeForInteger(size: number, signed: boolean): ArgTypeName | undefined {
  if (size === 4 && signed) return 'int';
  if (size !== 1 && size !== 2 && size !== 4 && size !== 8) return undefined;
  return `${signed ? 'int' : 'uint'}${(8 * size) as 8 | 16 | 32 | 64}`;
}
