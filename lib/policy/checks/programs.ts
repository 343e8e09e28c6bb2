/** Checks hooks on programs (uprobes, usdts) and the options of a policy. */
import { parseDigest } from '../../elf/digests.js';
import type { Hook, HookData, PolicyData } from '../model/model.js';
import { isOptionName, OPTION_NAMES, optionValues, isOptionValue } from '../language/options.js';
import { findNearestName } from '../parse/nearest-name.js';
import { quote, type Report } from '../parse/report.js';

export function checkProgram(hook: Hook, report: Report): void {
  if (hook.kind !== 'uprobes' && hook.kind !== 'usdts') return;
  const { data } = hook;
  const { positions } = report;
  if (data.path !== undefined && !data.path.startsWith('/')) {
    const message = `${quote(data.path)} is not an absolute path`;
    report.add(
      'PATH_NOT_ABSOLUTE',
      positions.value(data, 'path'),
      message,
      'begin the path with /: a relative path would depend on the working directory',
    );
  }
  if (data.resolvePathInContainer === true) {
    report.add(
      'FIELD_UNRELEASED',
      positions.key(data, 'resolvePathInContainer'),
      'no version of Tetragon has resolvePathInContainer yet, and one that has it may need a podSelector',
      'compare the meaning again when Tetragon has it',
    );
  }
  if (hook.kind === 'uprobes') checkUprobe(data, report);
}

function checkUprobe(data: HookData, report: Report): void {
  const { positions } = report;
  const lists = [data.symbols, data.offsets, data.addrs];
  const count = lists.reduce((sum, list) => sum + (list?.length ?? 0), 0);
  const isInvalid =
    lists.some((list) => list !== undefined && positions.isIncomplete(list)) ||
    ['symbols', 'offsets', 'addrs'].some(
      (key) => positions.hasField(data, key) && data[key as 'symbols'] === undefined,
    );
  if (count === 0 && !isInvalid) {
    report.add(
      'UPROBE_WITHOUT_PLACE',
      positions.value(data, 'path'),
      'the uprobe names no place in the file',
      'add symbols, offsets or addrs',
    );
  }
  const kinds = (['symbols', 'offsets', 'addrs'] as const).filter((key) => (data[key]?.length ?? 0) > 0);
  if (kinds.length > 1) {
    const message = `${kinds.join(' and ')} of one uprobe: Tetragon accepts only one of symbols, offsets and addrs`;
    report.add('UPROBE_PLACES', positions.key(data, kinds[1] as string), message, 'make a uprobe for each of them');
  }
  const counters = data.refCtrOffsets;
  if (counters !== undefined && counters.length !== count && !isInvalid && !positions.isIncomplete(counters)) {
    report.add(
      'UPROBE_COUNTERS',
      positions.value(data, 'refCtrOffsets'),
      `${counters.length} refCtrOffsets for ${count} places`,
      'write one for each symbol, offset or address',
    );
  }
  const digests = data.binaryDigests ?? [];
  digests.forEach((digest, i) => {
    if (parseDigest(digest) !== undefined) return;
    report.add(
      'DIGEST_INVALID',
      positions.value(digests, i),
      `${quote(digest)} is not a digest`,
      'write sha256: and the 64 hexadecimal digits that sha256sum prints; sha1, sha384, sha512 and build-id work too',
    );
  });
}

export function checkOptions({ spec = {} }: PolicyData, report: Report): void {
  const { positions } = report;
  for (const option of spec.options ?? []) {
    const { name, value } = option;
    if (name === undefined) continue;
    if (!isOptionName(name)) {
      const close = findNearestName(name, OPTION_NAMES);
      const hint = `${close === undefined ? '' : `did you mean ${quote(close)}? `}known: ${OPTION_NAMES.join(', ')}`;
      report.add('OPTION_UNKNOWN', positions.value(option, 'name'), `there is no option ${quote(name)}`, hint);
    } else if (value === undefined ? !positions.hasField(option, 'value') : !isOptionValue(name, value)) {
      const values = optionValues(name);
      const message =
        value === undefined ? `the option ${name} has no value` : `${quote(value)} is not a value of ${name}`;
      const hint =
        values === undefined ? 'write a number of entries, such as "4096"' : `one of ${values.slice(0, 4).join(', ')}`;
      report.add('OPTION_INVALID', positions.value(option, 'value'), message, hint);
    }
  }
}
