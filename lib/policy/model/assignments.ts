/**
 * Parses the registers that an Override of a uprobe sets: `rax=11`, `rbp=%rsp`, `rsp=8%rsp`, `rip=(%rsp)`,
 * `rdi=-8(%rbp)`.
 */
import type { RegisterAssignment } from '../../compiled/compiled-policy.js';
import { programRegister } from '../../names/kernel.js';

const NUMBER = '(-?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*))';
const CONSTANT = new RegExp(`^(\\w+) *= *${NUMBER}$`);
const REGISTER = new RegExp(`^(\\w+) *= *(?:${NUMBER} *)?%(\\w+)$`);
const MEMORY = new RegExp(`^(\\w+) *= *(?:${NUMBER} *)?\\( *%(\\w+) *\\)$`);

/** Returns undefined if the text has another form, names no register, or contains a number of more than 64 bits. */
export function parseAssignment(text: string): RegisterAssignment | undefined {
  const trimmed = text.trim();
  const found = CONSTANT.exec(trimmed) ?? REGISTER.exec(trimmed) ?? MEMORY.exec(trimmed);
  if (found === null) return undefined;
  const [, to = '', number = '0', from] = found;
  const offset = parseCNumber(number);
  const isRegister = (name: string): boolean => programRegister(name) !== undefined;
  if (!isRegister(to) || (from !== undefined && !isRegister(from))) return undefined;
  if (offset < -(2n ** 63n) || offset >= 2n ** 64n) return undefined;
  return {
    text: trimmed,
    to,
    ...(from === undefined ? {} : { from }),
    ...(trimmed.endsWith(')') ? { memory: true as const } : {}),
    offset,
  };
}

/** Reads a number as C does: 0x means hexadecimal, a leading zero means octal. */
function parseCNumber(text: string): bigint {
  const digits = text.replace('-', '');
  const value = BigInt(/^0\d/.test(digits) ? `0o${digits.slice(1)}` : digits);
  return text.startsWith('-') ? -value : value;
}
