/** The type of argument that fits a type of the kernel. */
import type { TypeInfo } from '../../../types/kernel.js';
import { typeOfStruct, type ArgTypeName } from '../../names/arg-types.js';

/** `isBuffer`: something says how many bytes are behind the pointer. Undefined if no type can read such a value. */
export function typeOfValue(type: TypeInfo, isBuffer = false): ArgTypeName | undefined {
  switch (type.kind) {
    case 'int':
    case 'enum':
      return type.name === 'bpf_cmd' ? 'bpf_cmd' : numberOf(type.size, type.signed);
    case 'pointer': {
      const target = type.target();
      if (target === undefined || target.kind === 'void') return isBuffer ? 'char_buf' : undefined;
      return isCharacter(target) ? (isBuffer ? 'char_buf' : 'string') : typeOfObject(target);
    }
    case 'array': {
      const element = type.target();
      return element !== undefined && isCharacter(element) ? 'string' : undefined;
    }
    default:
      return typeOfObject(type);
  }
}

export function isCharacter({ kind, size }: TypeInfo): boolean {
  return kind === 'int' && size === 1;
}

/** A set of capabilities: a typedef of a struct, whose name older kernels have. */
export function isCapabilities({ name, alias }: TypeInfo): boolean {
  return alias === 'kernel_cap_t' || name === 'kernel_cap_struct';
}

function typeOfObject(type: TypeInfo): ArgTypeName | undefined {
  if (isCapabilities(type)) return 'kernel_cap_t';
  return type.kind === 'struct' || type.kind === 'union' || type.kind === 'forward'
    ? typeOfStruct(type.name)
    : undefined;
}

export function numberOf(size: number, signed: boolean): ArgTypeName | undefined {
  if (size === 4 && signed) return 'int';
  if (size !== 1 && size !== 2 && size !== 4 && size !== 8) return undefined;
  return `${signed ? 'int' : 'uint'}${(8 * size) as 8 | 16 | 32 | 64}`;
}
