/** Formats kernel types for messages. */
import type { TypeInfo } from '../../../types/kernel.js';

/** Formats the type in C notation. */
export function formatType(type: TypeInfo): string {
  switch (type.kind) {
    case 'pointer': {
      const target = type.target();
      return target === undefined ? 'void *' : `${formatType(target)} *`;
    }
    case 'array': {
      const target = type.target();
      return `${target === undefined ? 'void' : formatType(target)}[]`;
    }
    case 'struct':
    case 'union':
    case 'enum':
      return type.alias || `${type.kind} ${type.name}`;
    case 'function':
      return 'a function';
    case 'void':
    case 'int':
    case 'float':
    case 'forward':
    case 'other':
      return type.alias || type.name || type.kind;
  }
}
