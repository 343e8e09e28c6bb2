/** Checks a policy against the files of this machine: programs, their symbols and static probes, and symbolic links. */
import type { HostFiles } from '../../elf/elf-info.js';
import { isProgramHook } from '../language/vocabulary.js';
import type { Hook } from '../model/model.js';
import { findNearestName, nearestHint } from '../parse/nearest-name.js';
import type { Span } from '../parse/positions.js';
import { quote, type Report } from '../parse/report.js';

export function checkAgainstHost(hooks: readonly Hook[], files: HostFiles, report: Report): void {
  for (const hook of hooks) {
    if (isProgramHook(hook.kind)) checkProgramFile(hook, files, report);
    for (const selector of hook.selectors) {
      for (const { operator, values = [] } of [
        ...(selector.matchBinaries ?? []),
        ...(selector.matchParentBinaries ?? []),
      ]) {
        if (operator !== 'In' && operator !== 'NotIn') continue;
        values.forEach((value, i) => warnBinary(value, report.positions.value(values, i), files, report));
      }
    }
  }
}

/** A process has the path of the file that it executes: behind all links, and for a script that of its interpreter. */
function warnBinary(path: string, span: Span, files: HostFiles, report: Report): void {
  if (!path.startsWith('/')) return;
  const interpreter = files.interpreter(path);
  if (interpreter === undefined) {
    warnSymlink(path, 'processes are reported with the path of the file itself', span, files, report);
    return;
  }
  const real = files.realpath(path) ?? path;
  const program = files.realpath(interpreter) ?? interpreter;
  const name = real === path ? quote(path) : `${quote(path)} is a link to ${quote(real)}, which`;
  report.add(
    'BINARY_IS_SCRIPT',
    span,
    `${name} is a script on this machine: its process executes ${quote(program)}, so the script never matches`,
    `${quote(program)} matches all its scripts; for this one, hook security_bprm_creds_for_exec and filter the path of its linux_binprm`,
  );
}

function warnSymlink(path: string, why: string, span: Span, files: HostFiles, report: Report): void {
  const real = path.startsWith('/') ? files.realpath(path) : undefined;
  if (real === undefined || real === path) return;
  report.add(
    'PATH_IS_SYMLINK',
    span,
    `${quote(path)} is a link to ${quote(real)} on this machine: ${why}`,
    `use ${quote(real)}`,
  );
}

function checkProgramFile(hook: Hook, files: HostFiles, report: Report): void {
  const { data } = hook;
  const { path } = data;
  if (path === undefined || !path.startsWith('/') || data.resolvePathInContainer === true) return;
  const span = report.positions.value(data, 'path');
  warnSymlink(path, 'the probe is attached to that file', span, files, report);
  const elf = files.readElf(path);
  if (elf === undefined) {
    report.add(
      'PROGRAM_NOT_FOUND',
      span,
      `there is no readable file ${quote(path)} on this machine`,
      'check the path; symbols and probes were not checked',
    );
    return;
  }
  if (elf === null) {
    report.add(
      'PROGRAM_NOT_ELF',
      span,
      `${quote(path)} is not an ELF file`,
      'name the program or library itself, not a script',
    );
    return;
  }
  const { symbols = [], provider = '', name = '' } = data;
  symbols.forEach((symbol, i) => {
    // `NAME+OFFSET` is an address within a function.
    const own = symbol.replace(/\+(0x[0-9a-fA-F]+|\d+)$/, '');
    if (elf.symbols.has(own)) return;
    const hint = nearestHint(own, [...elf.symbols.keys()], 'the file may be stripped: use offsets');
    report.add('SYMBOL_UNKNOWN', report.positions.value(symbols, i), `${path} has no symbol ${quote(own)}`, hint);
  });
  if (hook.kind !== 'usdts' || provider === '' || name === '' || elf.probes.has(`${provider}:${name}`)) return;
  const known = [...elf.probes.keys()];
  const close = findNearestName(`${provider}:${name}`, known);
  const hint =
    close !== undefined
      ? `did you mean ${close}?`
      : known.length === 0
        ? 'the file has no static probes'
        : `the file has ${known.slice(0, 8).join(', ')}`;
  report.add('USDT_UNKNOWN', report.positions.value(data, 'name'), `${path} has no probe ${provider}:${name}`, hint);
}
