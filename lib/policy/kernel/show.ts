/** Writes types of a kernel as text for messages. */
import type { TypeInfo } from '../../../types/kernel.js';

/** Writes the type as C does. */
export function showType(type: TypeInfo): string {
  switch (type.kind) {
    case 'pointer': {
      const target = type.target();
      return target === undefined ? 'void *' : `${showType(target)} *`;
    }
    case 'array': {
      const target = type.target();
      return `${target === undefined ? 'void' : showType(target)}[]`;
    }
    case 'struct':
    case 'union':
    case 'enum':
      return type.alias || `${type.kind} ${type.name}`;
    case 'function':
      return 'a function';
    default:
      return type.alias || type.name || type.kind;
  }
}
