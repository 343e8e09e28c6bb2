import assert from 'node:assert/strict';
import { compilePolicy, parsePolicy } from '../../../lib/policy/index.js';
import type { HookImage } from '../../../lib/policy/image.js';
import { encodeHook, type EncodedHook } from '../../../lib/wire/encode.js';
import {
  ArgConfig,
  ArgType,
  ArgValue,
  BinaryTest,
  HookConfig,
  IntGroup,
  IntOp,
  IntTest,
  TextConfig,
  TextTable,
  TextVerdict,
  TrieKey,
} from '../../../lib/wire/layout.gen.js';

const YAML = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: all}
spec:
  kprobes:
  - call: security_file_permission
    syscall: false
    return: true
    args:
    - {index: 1, type: int}
    - {index: 0, type: file}
    returnArg: {index: 0, type: int}
    selectors:
    - matchBinaries:
      - {operator: In, values: [/usr/bin/cat]}
      matchArgs:
      - {index: 0, operator: Equal, values: [/etc/shadow, /etc/passwd]}
      - {index: 1, operator: Equal, values: ["4"]}
    - matchPIDs:
      - {operator: NotIn, followForks: false, isNamespacePID: false, values: [77]}
      matchArgs:
      - {index: 0, operator: Prefix, values: [/etc/]}
      - {index: 0, operator: Postfix, values: [.key]}
    - matchArgs:
      - {index: 0, operator: Prefix, values: [/home/]}
      - {index: 1, operator: Mask, values: ["2"]}
`;

describe('encoding of hooks', () => {
  let image: HookImage;
  let encoded: EncodedHook;
  let view: DataView;
  before(() => {
    image = compilePolicy(parsePolicy(YAML)).hooks[0] as HookImage;
    encoded = encodeHook(image, { id: 12, selfTgid: 99, pair: true, params: 2, binaryBits: [200], onDemand: true });
    view = new DataView(encoded.config.buffer);
  });
  const map = (name: string): EncodedHook['maps'][number] => {
    const found = encoded.maps.find((each) => each.name === name);
    assert.ok(found);
    return found;
  };

  it('the fields of struct hook_config', () => {
    assert.equal(encoded.config.length, HookConfig.sizeof);
    assert.equal(view.getUint32(HookConfig.hook, true), 12);
    assert.equal(view.getUint32(HookConfig.selfTgid, true), 99);
    assert.equal(view.getBigUint64(HookConfig.selectors, true), 0b111n);
    const u8: readonly (readonly [keyof typeof HookConfig, number])[] = [
      ['argsCount', 2],
      ['syscall', 0],
      ['hasReturn', 1],
      ['pair', 1],
      ['pidGroups', image.pids.length],
      ['returnGroups', 0],
      ['binaryTests', 1],
      ['returnType', ArgType.ARG_INT],
      ['params', 2],
      ['textsCount', 1],
    ];
    for (const [name, value] of u8) assert.equal(view.getUint8(HookConfig[name]), value, name);
    assert.equal(view.getUint32(HookConfig.bodySize, true), 8 * ArgValue.sizeof + 4096);
  });

  it('arguments stand in the order of the policy, and name their parameter', () => {
    image.args.forEach((arg, slot) => {
      const at = HookConfig.args + slot * HookConfig.argsStride;
      assert.equal(view.getUint8(at + ArgConfig.param), arg.index);
      assert.equal(view.getUint8(at + ArgConfig.type), arg.type === 'int' ? ArgType.ARG_INT : ArgType.ARG_FILE);
      assert.equal(view.getUint8(at + ArgConfig.intGroups), arg.ints.length);
    });
    const slot = image.args.findIndex((arg) => arg.type === 'file');
    const at = HookConfig.texts;
    assert.equal(view.getUint8(at + TextConfig.slot), slot);
    assert.equal(view.getUint8(at + TextConfig.type), ArgType.ARG_FILE);
    assert.equal(view.getUint8(at + TextConfig.user), 0);
    assert.equal(view.getUint8(at + TextConfig.filtered), 1);
    assert.equal(view.getBigUint64(at + TextConfig.equal + TextTable.positive, true), 0b001n);
    assert.equal(view.getBigUint64(at + TextConfig.prefix + TextTable.positive, true), 0b110n);
    assert.equal(view.getBigUint64(at + TextConfig.postfix + TextTable.used, true), 0b010n);
    assert.equal(view.getUint32(at + TextConfig.equal + TextTable.longest, true), '/etc/shadow'.length);
  });

  it('comparisons of integers, each group with its tests', () => {
    const seen: unknown[] = [];
    const groups = [...image.pids, ...image.args.flatMap((arg) => arg.ints)];
    groups.forEach((_, g) => {
      const at = HookConfig.groups + g * HookConfig.groupsStride;
      const first = view.getUint8(at + IntGroup.first);
      for (let t = 0; t < view.getUint8(at + IntGroup.count); t++) {
        const test = HookConfig.tests + (first + t) * HookConfig.testsStride;
        seen.push([
          view.getUint32(test + IntTest.op, true),
          view.getBigUint64(test + IntTest.value, true),
          view.getBigUint64(test + IntTest.selectors, true),
        ]);
      }
    });
    assert.deepEqual(
      seen.sort((a, b) => String(a).localeCompare(String(b))),
      [
        [IntOp.INT_EQUAL, 4n, 0b001n],
        [IntOp.INT_EQUAL, 77n, 0b010n],
        [IntOp.INT_MASK, 2n, 0b100n],
      ],
    );
  });

  it('binaries, by the bit of their set', () => {
    assert.equal(view.getUint16(HookConfig.binaries + BinaryTest.set, true), 200);
    assert.equal(view.getBigUint64(HookConfig.binaries + BinaryTest.selectors, true), 0b001n);
    assert.equal(view.getUint8(HookConfig.binaries + BinaryTest.negate), 0);
  });

  it('keys of the equal table are padded, of the tries in bits, postfixes backwards', () => {
    const slot = image.args.findIndex((arg) => arg.type === 'file');
    const equal = map('text_equal');
    assert.equal(equal.keySize, 1 + '/etc/shadow'.length);
    assert.equal(equal.maxEntries, 2);
    const stride = equal.keySize + TextVerdict.sizeof;
    const keys = [0, 1].map((i) => Buffer.from(equal.entries.subarray(i * stride, i * stride + equal.keySize)));
    for (const text of ['/etc/shadow', '/etc/passwd']) {
      assert.ok(keys.some((key) => key[0] === slot && key.subarray(1).toString().replaceAll('\0', '') === text));
    }
    const postfix = map('text_postfix').entries;
    const trie = new DataView(postfix.buffer, postfix.byteOffset);
    assert.equal(trie.getUint32(TrieKey.prefixBits, true), 8 + 8 * 4);
    assert.equal(postfix[TrieKey.slot], slot);
    assert.equal(Buffer.from(postfix.subarray(TrieKey.text, TrieKey.text + 4)).toString(), 'yek.');
    assert.equal(trie.getBigUint64(TrieKey.sizeof + TextVerdict.match, true), 0b010n);
    assert.equal(map('text_prefix').maxEntries, 2);
  });

  it('entries wait for their return in a map only where there are two programs', () => {
    assert.equal(map('pending').create, true);
    const single = encodeHook(image, { id: 8, selfTgid: 0, pair: false, params: 2, binaryBits: [0], onDemand: false });
    assert.equal(single.maps.find((each) => each.name === 'pending')?.create, false);
  });
});
