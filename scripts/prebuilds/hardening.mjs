// Finds out whether an addon was compiled and linked as cmake/hardening.cmake says.
import { readFileSync } from 'node:fs';

/** The instructions at the start of a function that may be called through a pointer: `endbr64`; `paciasp` or `bti c`. */
const BRANCH_TARGETS = { x64: ['f30f1efa'], arm64: ['3f2303d5', '5f2403d5'] };

/** The message of the functions that check sizes. See native/base/fortify.c. */
const FORTIFIED = '*** buffer overflow detected ***';

/** Reads the bytes of the function that Node.js calls, from the file. */
function firstInstruction(file, text) {
  const address = /^ *\d+: ([0-9a-f]+) .* napi_register_module_v1$/m.exec(text)?.[1];
  const sections = text.matchAll(/^ *\[ *\d+\] \S+ +PROGBITS +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)/gm);
  const at = parseInt(address ?? '0', 16);
  for (const [, start, offset, size] of sections) {
    const inside = at - parseInt(start, 16);
    if (inside < 0 || inside >= parseInt(size, 16)) continue;
    const place = parseInt(offset, 16) + inside;
    return readFileSync(file).subarray(place, place + 4).toString('hex');
  }
  return '';
}

/** Returns the protections that the addon lacks. `text` is what `readelf -W -h -d -l -S --dyn-syms` prints. */
export function missingProtections(file, arch, text) {
  const isNow = /\(FLAGS\).*\bBIND_NOW\b|\(BIND_NOW\)|\(FLAGS_1\).*\bNOW\b/.test(text);
  const stack = /^ *GNU_STACK +(?:0x[0-9a-f]+ +){5}(\S+)/m.exec(text)?.[1];
  const checks = {
    'full RELRO': /^ *GNU_RELRO /m.test(text) && isNow,
    'a stack without execution': stack === 'RW',
    'code without relocations': !/\(TEXTREL\)/.test(text),
    'the stack protector': /\b__stack_chk_(fail|guard)\b/.test(text),
    'checked sizes (_FORTIFY_SOURCE)': /\b__\w+_chk@/.test(text) || readFileSync(file).includes(FORTIFIED),
    'protected branches': BRANCH_TARGETS[arch].includes(firstInstruction(file, text)),
  };
  return Object.keys(checks).filter((name) => !checks[name]);
}
