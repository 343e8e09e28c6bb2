/** The tables of a group, read as the program reads them, lead to the same rules as a plain comparison. */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { randomChoice, randomPick } from '../../../random.js';
import type { GroupRuleSource, RuleStrings } from '../../../../lib/wire/encode/group-hook.js';
import { GroupTables, type TableChange } from '../../../../lib/wire/encode/group-tables.js';
import {
  AbiLimit,
  AddressKey,
  GroupFlag,
  GroupHash,
  GroupHeader,
  GroupLimit,
  GroupRule,
  GroupSet,
  GroupSetIndex,
  GroupTest,
  GroupTestKind,
  IntKey,
  RateScope,
  StringHash,
  TrieKey,
} from '../../../../lib/wire/layout.gen.js';

const KEY_SIZES: Readonly<Record<string, number>> = {
  group_prefix: TrieKey.sizeof,
  group_postfix: TrieKey.sizeof,
  group_folders: TrieKey.sizeof,
  group_numbers: IntKey.sizeof,
  group_networks: AddressKey.sizeof,
};
const VALUE_SIZES: Readonly<Record<string, number>> = {
  group_sets: GroupSet.sizeof,
  group_rules: GroupRule.sizeof,
  group_header: GroupHeader.sizeof,
  group_tests: 24,
  group_equal: 8,
};

/** The maps of the kernel. */
class Maps {
  readonly #maps = new Map<string, Map<string, DataView>>();

  map(name: string): Map<string, DataView> {
    const found = this.#maps.get(name) ?? new Map<string, DataView>();
    this.#maps.set(name, found);
    return found;
  }

  put(changes: readonly TableChange[]): void {
    for (const { map, bytes } of changes) {
      const [key, value] = [KEY_SIZES[map] ?? 4, VALUE_SIZES[map] ?? 4];
      for (let at = 0; at < bytes.length; at += key + value) {
        const name = Buffer.from(bytes.subarray(at, at + key)).toString('latin1');
        this.map(map).set(name, new DataView(bytes.slice(at + key, at + key + value).buffer));
      }
    }
  }

  delete(changes: readonly TableChange[]): void {
    for (const { map, bytes } of changes) {
      const key = KEY_SIZES[map] ?? 4;
      for (let at = 0; at < bytes.length; at += key) {
        assert.ok(this.map(map).delete(Buffer.from(bytes.subarray(at, at + key)).toString('latin1')));
      }
    }
  }

  /** The hook and selector of each enabled rule in a set, in their order. */
  rules(set: number): string[] {
    const found = this.map('group_sets').get(u32(set));
    if (found === undefined) return [];
    return Array.from({ length: GroupLimit.GROUP_RULES_MAX }, (_, rule) => rule).flatMap((rule) => {
      const word = rule >> 6;
      const inSummary = (found.getUint8(word >> 3) >> (word & 7)) & 1;
      const inWord = (found.getUint8(GroupSet.words + (rule >> 3)) >> (rule & 7)) & 1;
      if (inSummary === 0) assert.equal(inWord, 0, 'a rule that the summary hides');
      const entry = this.map('group_rules').get(u32(rule));
      if (inWord === 0 || entry?.getUint8(GroupRule.enabled) !== 1) return [];
      return [`${entry.getUint32(GroupRule.hook, true)}.${entry.getUint8(GroupRule.selector)}`];
    });
  }

  /** The enabled rules of sets whose further filters hold, as the program finds them. */
  matching(...found: readonly number[]): string[] {
    const sets = found.flatMap((set) => this.map('group_sets').get(u32(set)) ?? []);
    const has = (number: number): boolean =>
      sets.some((set) => ((set.getUint8(GroupSet.words + (number >> 3)) >> (number & 7)) & 1) === 1);
    if (
      this.header.getUint8(GroupHeader.hasFurther) === 1 &&
      !sets.some((set) => set.getUint32(GroupSet.hasRules, true) === 1)
    ) {
      return [];
    }
    return [...this.map('group_rules')].flatMap(([key, rule]) => {
      const number = Buffer.from(key, 'latin1').readUInt32LE();
      if (!has(number) || rule.getUint8(GroupRule.enabled) !== 1) return [];
      const tests = Array.from({ length: rule.getUint16(GroupRule.testsCount, true) }, (_, i) => {
        const test = this.map('group_tests').get(u32(rule.getUint16(GroupRule.firstTest, true) + i)) as DataView;
        assert.equal(test.getUint8(GroupTest.kind), GroupTestKind.GROUP_TEST_STRING);
        return has(test.getUint16(GroupTest.index, true)) !== (test.getUint8(GroupTest.negate) === 1);
      });
      return tests.every(Boolean)
        ? [`${rule.getUint32(GroupRule.hook, true)}.${rule.getUint8(GroupRule.selector)}`]
        : [];
    });
  }

  /** The value of the longest key that the string begins with. */
  lookup(map: 'group_prefix' | 'group_postfix' | 'group_folders', string: string, slot = 0): number {
    const keys = [...this.map(map)].flatMap(([key, value]) => {
      if (key.charCodeAt(TrieKey.slot) !== slot) return [];
      const bits = Buffer.from(key, 'latin1').readUInt32LE(TrieKey.prefixBits);
      const text = key.slice(TrieKey.string, TrieKey.string + bits / 8 - 1);
      return string.startsWith(text) ? [{ text, set: value.getUint32(0, true) }] : [];
    });
    return keys.sort((a, b) => b.text.length - a.text.length)[0]?.set ?? 0;
  }

  /** The set of a value of Equal, or else of the longest key that the string begins with. */
  lookupStart(string: string): number {
    return (
      (this.header.getUint8(GroupHeader.hasEqual) === 0 ? 0 : this.#lookupEqual(string)) || this.lookupTrie(string)
    );
  }

  lookupTrie(string: string, slot = 0): number {
    return this.lookup('group_prefix', `${string}\0`, slot);
  }

  /** As the program does it: the slot of the hash, or its neighbour, and then a comparison of the whole string. */
  #lookupEqual(string: string): number {
    if (string.length > GroupLimit.GROUP_EQUAL_MAX) return 0;
    const hash = hashString(string);
    const tag = (hash << BigInt(GroupLimit.GROUP_SLOT_BITS)) & (2n ** 64n - 1n);
    const home = Number(hash >> BigInt(64 - GroupLimit.GROUP_SLOT_BITS));
    const slot = [home, home ^ 1]
      .map((number) => this.map('group_equal').get(u32(number))?.getBigUint64(0, true) ?? 0n)
      .find((each) => each >> 32n === tag >> 32n);
    const index = Number((slot ?? 0n) & 0xffffffffn);
    const set = this.map('group_sets').get(u32(index));
    if (set === undefined) return 0;
    const bytes = Buffer.from(set.buffer, GroupSet.string, GroupLimit.GROUP_EQUAL_MAX).toString('latin1');
    const isShort = 8 * set.getUint32(GroupSet.stringWords, true) < string.length + 8;
    return isShort && bytes === string.padEnd(GroupLimit.GROUP_EQUAL_MAX, '\0') ? index : 0;
  }

  #headerBit(at: number, bit: number): boolean {
    return ((this.header.getUint8(at + (bit >> 3)) >> (bit & 7)) & 1) === 1;
  }

  /** False: no value of Postfix is at the end of the string. */
  mayEnd(string: string): boolean {
    const isShort = this.#headerBit(GroupHeader.shortEnds, string.charCodeAt(string.length - 1));
    return isShort || (string.length >= GroupLimit.GROUP_END_BYTES && this.#hasEnd(string));
  }

  #hasEnd(string: string): boolean {
    const bytes = Buffer.from(string.slice(-GroupLimit.GROUP_END_BYTES), 'latin1').readUInt32LE();
    const hash = Math.imul(bytes, StringHash.STRING_HASH_FACTOR) >>> (32 - GroupLimit.GROUP_END_BITS);
    return this.#headerBit(GroupHeader.ends, hash);
  }

  #hasEndPair(name: string): boolean {
    const bytes = Buffer.from(name.slice(-2), 'latin1').readUInt16LE();
    const hash = Math.imul(bytes, StringHash.STRING_HASH_FACTOR) >>> (32 - GroupLimit.GROUP_PAIR_BITS);
    return this.#headerBit(GroupHeader.endPairs, hash);
  }

  /** As the program does it for the name of a file in any folder. */
  mayEndName(name: string): boolean {
    if (name.length > 1 && !this.#hasEndPair(name)) return false;
    if (this.#headerBit(GroupHeader.shortEnds, name.charCodeAt(name.length - 1))) return true;
    const missing = GroupLimit.GROUP_END_BYTES - name.length;
    if (missing > 0 && !this.#headerBit(GroupHeader.shortNames, name.length)) return false;
    return missing > 1 || this.#hasEnd(missing === 1 ? `/${name}` : name);
  }

  hasFolder(folder: string): boolean {
    return this.lookup('group_folders', folder, AbiLimit.FOLDER_SLOT) === folder.length;
  }

  hasValuesBelow(folder: string): boolean {
    return this.lookup('group_folders', folder, AbiLimit.TREE_SLOT) === folder.length;
  }

  get header(): DataView {
    return this.map('group_header').get(u32(0)) as DataView;
  }
}

function hashString(string: string): bigint {
  const bytes = Buffer.from(string.padEnd(Math.ceil(string.length / 8) * 8, '\0'), 'latin1');
  const factor = (BigInt(GroupHash.GROUP_HASH_UPPER) << 32n) | BigInt(GroupHash.GROUP_HASH_LOWER);
  let hash = 0n;
  for (let at = bytes.length - 8; at >= 0; at -= 8) hash = (hash + bytes.readBigUInt64LE(at)) * factor;
  return hash & (2n ** 64n - 1n);
}

function u32(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes.toString('latin1');
}

function remove(maps: Maps, tables: GroupTables, hook: number): void {
  const removal = tables.beginRemoval(hook);
  assert.ok(removal);
  assert.equal(tables.beginRemoval(hook), removal, 'again the same');
  maps.put(removal.disabled);
  maps.delete(removal.deletedKeys);
  maps.put(tables.endRemoval(hook));
}

function add(maps: Maps, tables: GroupTables, hook: number, rules: readonly GroupRuleSource[]): void {
  const addition = tables.add(hook, rules);
  assert.ok(addition);
  for (const changes of [addition.prepared, addition.found, addition.enabled]) maps.put(changes);
}

type Way = readonly [operator: 'Equal' | 'Prefix' | 'Postfix', value: string];

/** A further filter of a rule. */
type More = readonly [negate: boolean, ways: readonly Way[]];

function makeRule(selector: number, ways: readonly Way[], flags = 0, further: readonly More[] = []): GroupRuleSource {
  return {
    ...{ selector, flags, numbers: new Map(), networks: new Map(), tests: [] },
    strings: makeStrings(ways),
    further: further.map(([negate, own]) => ({ ...makeStrings(own), negate })),
  };
}

function makeStrings(ways: readonly Way[], string = 0): RuleStrings {
  const operator = ways[0]?.[0] ?? 'Equal';
  const keys = ways.map(([, value]) =>
    operator === 'Postfix' ? [...value].reverse().join('') : operator === 'Equal' ? `${value}\0` : value,
  );
  return { string, table: operator === 'Postfix' ? 'postfix' : 'prefix', keys, isPrefix: operator === 'Prefix' };
}

const numberRule = (selector: number, numbers: readonly (readonly [number, readonly bigint[]])[]): GroupRuleSource => ({
  ...{ selector, flags: 0, tests: [], further: [], networks: new Map() },
  numbers: new Map(numbers),
});

/** `network`: an address of IPv4, and its bits. */
const networkRule = (slot: number, ...networks: readonly (readonly [bytes: readonly number[], bits: number])[]) => ({
  ...{ selector: 0, flags: 0, tests: [], further: [], numbers: new Map() },
  networks: new Map([[slot, networks.map(([bytes, bits]) => ({ family: 4 as const, bytes, bits }))]]),
});

describe('tables of a group', () => {
  it('agree with a plain comparison while random hooks come and go', () => {
    const pick = randomPick(3);
    const randomText = (): string => Array.from({ length: pick([1, 2, 3, 4]) }, () => pick(['a', 'b', '/'])).join('');
    const [maps, tables] = [new Maps(), new GroupTables(true, 1)];
    const hooks = new Map<number, { readonly ways: readonly Way[]; readonly further: readonly More[] }[]>();
    for (let round = 0; round < 300; round++) {
      const gone = pick([...hooks.keys()]);
      if (hooks.size > 20 || (hooks.size > 0 && pick([true, false, false]))) {
        remove(maps, tables, gone);
        hooks.delete(gone);
      } else {
        const selectors = Array.from({ length: pick([1, 2, 3]) }, () => {
          const randomWays = (): Way[] => {
            const operator = pick(['Equal', 'Prefix', 'Postfix'] as const);
            if (pick([true, false, false, false, false])) return [['Prefix', '']];
            return Array.from({ length: pick([1, 2]) }, (): Way => [operator, randomText()]);
          };
          const further = Array.from({ length: pick([0, 0, 1, 2]) }, (): More => [pick([true, false]), randomWays()]);
          return { ways: randomWays(), further };
        });
        hooks.set(round, selectors);
        add(
          maps,
          tables,
          round,
          selectors.map(({ ways, further }, i) => makeRule(i, ways, 0, further)),
        );
      }
      const string = randomText();
      const found = maps.matching(
        maps.lookupStart(string),
        maps.mayEnd(string) ? maps.lookup('group_postfix', [...string].reverse().join('')) : GroupSetIndex.GROUP_NO_SET,
      );
      const holds = (ways: readonly Way[]): boolean => ways.some((way) => fits(way, string));
      const expected = [...hooks].flatMap(([hook, selectors]) =>
        selectors.flatMap(({ ways, further }, i) =>
          holds(ways) && further.every(([negate, own]) => holds(own) !== negate) ? [`${hook}.${i}`] : [],
        ),
      );
      assert.deepEqual([...new Set(found)].sort(), expected.sort(), `round ${round}, ${string}`);
    }
    for (const hook of hooks.keys()) remove(maps, tables, hook);
    assert.equal(tables.size, 0);
    for (const name of ['group_prefix', 'group_postfix', 'group_folders']) assert.equal(maps.map(name).size, 0);
    assert.deepEqual(
      [...maps.map('group_equal').values()].filter((slot) => slot.getBigUint64(0) !== 0n),
      [],
    );
  });

  it('several strings: random hooks agree with a plain comparison', () => {
    const pick = randomPick(5);
    const randomText = (): string => Array.from({ length: pick([1, 2, 3]) }, () => pick(['a', 'b', '/'])).join('');
    type Own = { readonly string: number; readonly negate: boolean; readonly ways: readonly Way[] };
    const [maps, tables] = [new Maps(), new GroupTables(true, 1)];
    const hooks = new Map<number, readonly Own[]>();
    for (let round = 0; round < 300; round++) {
      const gone = pick([...hooks.keys()]);
      if (hooks.size > 15 || (hooks.size > 0 && pick([true, false, false]))) {
        remove(maps, tables, gone);
        hooks.delete(gone);
      } else {
        const own = Array.from({ length: pick([1, 2, 3]) }, (_, i): Own => {
          const operator = pick(['Equal', 'Prefix', 'Postfix'] as const);
          const ways = Array.from({ length: pick([1, 2]) }, (): Way => [operator, randomText()]);
          return { string: pick([0, 1, 3]), negate: i > 0 && pick([true, false]), ways };
        });
        const [first, ...more] = own as [Own, ...Own[]];
        hooks.set(round, own);
        const further = more.map(({ string, negate, ways }) => ({ ...makeStrings(ways, string), negate }));
        add(maps, tables, round, [{ ...makeRule(0, []), strings: makeStrings(first.ways, first.string), further }]);
      }
      const strings = Array.from({ length: 4 }, randomText);
      const found = maps.matching(
        ...strings.flatMap((string, slot) => [
          slot === 0 ? maps.lookupStart(string) : maps.lookupTrie(string, slot),
          maps.mayEnd(string) ? maps.lookup('group_postfix', [...string].reverse().join(''), slot) : 0,
        ]),
      );
      const holds = ({ string, negate, ways }: Own): boolean =>
        ways.some((way) => fits(way, strings[string] as string)) !== negate;
      const expected = [...hooks].flatMap(([hook, own]) => (own.every(holds) ? [`${hook}.0`] : []));
      assert.deepEqual(found.sort(), expected.sort(), `round ${round}, ${strings.join(' ')}`);
    }
    for (const hook of hooks.keys()) remove(maps, tables, hook);
    for (const name of ['group_prefix', 'group_postfix', 'group_folders']) assert.equal(maps.map(name).size, 0);
  });

  it('two strings: an unknown one leads only to the rules that need it', () => {
    const [maps, tables] = [new Maps(), new GroupTables(true, 1)];
    for (const string of [0, 1]) {
      const rule = { ...makeRule(0, []), strings: makeStrings([['Prefix', '/a']], string) };
      add(maps, tables, string, [rule]);
    }
    const { GROUP_STRING_SETS: second, GROUP_UNKNOWN_STRING: unknown, GROUP_CUT_START: cut } = GroupSetIndex;
    assert.deepEqual([unknown, cut].map((set) => maps.rules(set)), [['0.0'], ['0.0']]); // prettier-ignore
    assert.deepEqual([unknown, cut].map((set) => maps.rules(set + second)), [['1.0'], ['1.0']]); // prettier-ignore
  });

  it('values of Equal are in the hash table, except for long ones and those without a free slot', () => {
    const [maps, tables] = [new Maps(), new GroupTables(false, 1)];
    const longest = 'l'.repeat(GroupLimit.GROUP_EQUAL_MAX);
    add(maps, tables, 0, [makeRule(0, [['Equal', '']])]);
    add(maps, tables, 1, [makeRule(0, [['Equal', longest]])]);
    add(maps, tables, 2, [makeRule(0, [['Equal', `${longest}l`]])]);
    // some of these have the same two slots
    const names = (hook: number): string[] => Array.from({ length: 30 }, (_, i) => `/folder-${i % 3}/file-${hook}${i}`);
    for (let hook = 3; hook < 43; hook++) {
      const ways = names(hook).map((name): Way => ['Equal', name]);
      add(maps, tables, hook, [makeRule(0, ways)]);
    }
    const inTrie = maps.map('group_prefix').size;
    assert.ok(inTrie > 2 && inTrie < 300, `${inTrie} values`);
    assert.equal(maps.map('group_equal').size, 1203 - inTrie);
    const check = (string: string, expected: readonly string[]): void =>
      assert.deepEqual(maps.rules(maps.lookupStart(string)), expected, string);
    check('', ['0.0']);
    check(longest, ['1.0']);
    check(`${longest}l`, ['2.0']);
    check(longest.slice(1), []);
    for (let hook = 3; hook < 43; hook++) {
      for (const name of names(hook).slice(0, 5)) check(name, [`${hook}.0`]);
      check(`/folder/${hook}`, []);
    }
  });

  it('all names of a folder, or of all folders below one, without a value lead to the same rules, except those that may end with a Postfix', () => {
    const pick = randomChoice(5);
    const randomText = (longest: number): string =>
      Array.from({ length: 1 + pick(longest) }, () => ['a', 'b', '/'][pick(3)]).join('');
    const [maps, tables] = [new Maps(), new GroupTables(true, 1)];
    const hooks = new Set<number>();
    let [whole, undecided, trees] = [0, 0, 0];
    for (let round = 0; round < 400; round++) {
      if (hooks.size > 6) {
        const gone = [...hooks][pick(hooks.size)] as number;
        remove(maps, tables, gone);
        hooks.delete(gone);
      } else {
        const randomWay = (longest: number): Way => {
          const operator = (['Equal', 'Prefix', 'Postfix'] as const)[pick(3)] ?? 'Equal';
          return [operator, `${operator === 'Postfix' ? '' : '/'}${randomText(longest)}`];
        };
        const further = Array.from({ length: pick(3) }, (): More => [pick(2) === 0, [randomWay(5)]]);
        add(maps, tables, round, [makeRule(0, [randomWay(further.length > 0 ? 2 : 7)], 0, further)]);
        hooks.add(round);
      }
      // the program remembers a path that leads to no set with rules
      const find = (string: string): number[] =>
        [maps.lookupStart(string), maps.lookup('group_postfix', [...string].reverse().join(''))].filter(
          (set) => maps.map('group_sets').get(u32(set))?.getUint32(GroupSet.hasRules, true) === 1,
        );
      const folder = `/${randomText(4)}/`.replace(/\/+/g, '/');
      const names = ['a', 'b', 'ab', 'bb', 'aba', 'bab', 'abab', 'aabba', 'bbabab'];
      const pickName = (): string => names[pick(names.length)] ?? '';
      const deepPath = (): string => folder + Array.from({ length: 1 + pick(4) }, pickName).join('/');
      if (!maps.hasValuesBelow(folder) && find(deepPath()).length === 0) {
        const paths = Array.from({ length: 40 }, deepPath).filter((path) => !maps.mayEndName(basename(path)));
        for (const path of paths) assert.deepEqual(find(path), [], `round ${round}, ${path} in ${folder}`);
        trees += paths.length;
      }
      const first = `${folder}${pickName()}`;
      if (maps.hasFolder(folder) || find(first).length > 0) continue;
      for (const name of names) {
        if (maps.mayEndName(name)) undecided++;
        else {
          whole++;
          assert.deepEqual(find(`${folder}${name}`), [], `round ${round}, ${folder}${name}`);
        }
      }
    }
    assert.ok(whole > 100 && undecided > 100 && trees > 100, `${whole} ${undecided} ${trees}`);
  });

  it('a folder with a value of a further filter does not stand for its names', () => {
    const [maps, tables] = [new Maps(), new GroupTables(true, 1)];
    const further: readonly More[] = [
      [true, [['Equal', '/a/b/x']]],
      [true, [['Prefix', '/a/c/y']]],
    ];
    add(maps, tables, 1, [makeRule(0, [['Prefix', '/a/']], 0, further)]);
    add(maps, tables, 2, [makeRule(0, [['Prefix', '']], 0, further)]);
    const hasFolders = (): boolean[] => ['/a/', '/a/b/', '/a/c/', '/a/d/'].map((folder) => maps.hasFolder(folder));
    const hasTrees = (): boolean[] => ['/', '/a/', '/a/c/', '/a/d/'].map((folder) => maps.hasValuesBelow(folder));
    assert.deepEqual([hasFolders(), hasTrees()].flat(), [true, true, true, false, true, true, true, false]);
    remove(maps, tables, 1);
    assert.deepEqual([hasFolders(), hasTrees()].flat(), [false, true, true, false, true, true, true, false]);
    remove(maps, tables, 2);
    assert.deepEqual(
      [hasFolders(), hasTrees()].flat(),
      Array.from({ length: 8 }, () => false),
    );
  });

  it('a name without a path may match a value without a slash, and an end', () => {
    const [maps, tables] = [new Maps(), new GroupTables(true, 1)];
    const isUnrooted = (): number => maps.header.getUint8(GroupHeader.hasUnrooted);
    add(maps, tables, 1, [makeRule(0, [['Equal', '/a']]), makeRule(1, [['Postfix', 'TCP']])]);
    assert.equal(isUnrooted(), 0);
    assert.deepEqual([maps.mayEnd('TCP'), maps.mayEnd('UNIX')], [true, false]);
    add(maps, tables, 2, [makeRule(0, [['Prefix', 'memfd:']])]);
    assert.equal(isUnrooted(), 1);
    remove(maps, tables, 2);
    assert.equal(isUnrooted(), 0);
  });

  it('the newest hook comes first, or last, and its selectors in their order', () => {
    for (const [newestFirst, expected] of [
      [true, ['2.0', '2.1', '1.0', '1.1']],
      [false, ['1.0', '1.1', '2.0', '2.1']],
    ] as const) {
      const [maps, tables] = [new Maps(), new GroupTables(newestFirst, 1)];
      for (const hook of [1, 2])
        add(
          maps,
          tables,
          hook,
          [0, 1].map((i) => makeRule(i, [['Equal', 'a']])),
        );
      assert.deepEqual(maps.rules(maps.lookupStart('a')), expected);
    }
  });

  it('a string that is unknown or cut leads to the rules that it may satisfy, but not to those that only suppress', () => {
    const [maps, tables] = [new Maps(), new GroupTables(false, 1)];
    add(maps, tables, 1, [
      makeRule(0, [['Equal', 'a']]),
      makeRule(1, [['Prefix', 'a']]),
      makeRule(2, [['Postfix', 'a']]),
      makeRule(3, [['Prefix', 'a']], GroupFlag.GROUP_SUPPRESSES),
    ]);
    assert.deepEqual(maps.rules(GroupSetIndex.GROUP_UNKNOWN_STRING), ['1.0', '1.1', '1.2']);
    assert.deepEqual(maps.rules(GroupSetIndex.GROUP_CUT_START), ['1.1']);
    assert.deepEqual(maps.rules(GroupSetIndex.GROUP_CUT_END), ['1.2']);
  });

  it('further filters hold for unknown parts, and negated ones do not; the other way round for those that suppress', () => {
    const [maps, tables] = [new Maps(), new GroupTables(false, 1)];
    const further: readonly More[] = [
      [false, [['Prefix', '/b']]],
      [true, [['Prefix', '/b/c']]],
      [false, [['Postfix', 'x']]],
      [true, [['Equal', '/b/d']]],
    ];
    add(maps, tables, 1, [makeRule(0, [['Prefix', '/']], 0, further)]);
    add(maps, tables, 2, [makeRule(0, [['Postfix', 'y']], GroupFlag.GROUP_SUPPRESSES, further)]);
    const { GROUP_UNKNOWN_STRING, GROUP_CUT_START, GROUP_CUT_END, GROUP_NO_SET } = GroupSetIndex;
    const prefix = maps.lookupTrie('/b/x');
    const end = maps.lookup('group_postfix', 'y');
    assert.deepEqual(maps.matching(GROUP_UNKNOWN_STRING, GROUP_NO_SET), ['1.0']);
    assert.deepEqual(maps.matching(prefix, GROUP_CUT_END), ['1.0']);
    assert.deepEqual(maps.matching(GROUP_CUT_START, maps.lookup('group_postfix', 'x')), ['1.0']);
    assert.deepEqual(maps.matching(GROUP_CUT_START, end), [], 'what is unknown suppresses nothing');
    remove(maps, tables, 1);
    assert.deepEqual(maps.matching(GROUP_UNKNOWN_STRING, GROUP_NO_SET), []);
    remove(maps, tables, 2);
    assert.equal(maps.header.getUint8(GroupHeader.hasFurther), 0);
  });

  it('a filter in the same table is no comparison: its value does not lead to the rule', () => {
    const [maps, tables] = [new Maps(), new GroupTables(false, 1)];
    const hasRules = (string: string): number =>
      maps
        .map('group_sets')
        .get(u32(maps.lookupStart(string)))
        ?.getUint32(GroupSet.hasRules, true) ?? 0;
    add(maps, tables, 1, [makeRule(0, [['Prefix', '/a/']], 0, [[true, [['Equal', '/a/b']]]])]);
    const [rule] = maps.map('group_rules').values();
    assert.equal(rule?.getUint16(GroupRule.testsCount, true), 0);
    assert.deepEqual(['/a/b', '/a/c'].map(hasRules), [0, 1]);
    add(maps, tables, 2, [makeRule(0, [['Prefix', '/a/b']])]);
    assert.deepEqual(maps.rules(maps.lookupStart('/a/b')), ['2.0']);
    assert.deepEqual(maps.rules(maps.lookupStart('/a/bc')), ['1.0', '2.0']);
    remove(maps, tables, 2);
    assert.deepEqual(['/a/b', '/a/bc'].map(hasRules), [0, 1]);
  });

  it('each string, also an unknown one, leads to a rule without a filter', () => {
    const [maps, tables] = [new Maps(), new GroupTables(false, 1)];
    add(maps, tables, 1, [
      makeRule(0, [['Prefix', '']], GroupFlag.GROUP_SUPPRESSES),
      makeRule(1, [['Prefix', '']], 0, [[true, [['Prefix', '/a']]]]),
      makeRule(2, [['Prefix', '']], GroupFlag.GROUP_SUPPRESSES, [[true, [['Prefix', '/a']]]]),
    ]);
    const { GROUP_UNKNOWN_STRING, GROUP_CUT_START, GROUP_NO_SET } = GroupSetIndex;
    assert.equal(maps.header.getUint8(GroupHeader.longestPrefix), 2);
    assert.deepEqual(maps.matching(maps.lookupStart('b'), GROUP_NO_SET), ['1.0', '1.1', '1.2']);
    assert.deepEqual(maps.matching(maps.lookupStart('/a'), GROUP_NO_SET), ['1.0']);
    for (const unknown of [GROUP_UNKNOWN_STRING, GROUP_CUT_START]) {
      assert.deepEqual(maps.matching(unknown, GROUP_NO_SET), ['1.0', '1.1'], 'the third only suppresses what it knows');
    }
    add(maps, tables, 2, [makeRule(0, [['Prefix', '']])]);
    remove(maps, tables, 1);
    assert.equal(maps.header.getUint8(GroupHeader.longestPrefix), 1, 'the empty key is looked up');
    assert.deepEqual(maps.rules(maps.lookupStart('')), ['2.0']);
  });

  it('one number is looked up; rules about other numbers are always compared', () => {
    const [maps, tables] = [new Maps(), new GroupTables(false, 1)];
    add(maps, tables, 1, [numberRule(0, [[2, [7n, 8n]]])]);
    add(maps, tables, 2, [numberRule(0, [[1, [9n]]]), numberRule(1, [[2, [8n]]])]);
    assert.deepEqual([maps.header.getUint8(GroupHeader.looksUp), maps.header.getUint8(GroupHeader.numberSlot)], [1, 2]);
    assert.equal(maps.header.getUint8(GroupHeader.hasAlways), 1);
    assert.deepEqual(maps.rules(GroupSetIndex.GROUP_ALWAYS), ['2.0']);
    assert.equal(maps.map('group_numbers').size, 2);
    remove(maps, tables, 2);
    assert.equal(maps.header.getUint8(GroupHeader.hasAlways), 0);
    assert.equal(maps.map('group_numbers').size, 2);
  });

  it('a port is looked up in its word of the detail', () => {
    const [maps, tables] = [new Maps(), new GroupTables(false, 1)];
    const slot = 2 | (6 << GroupLimit.GROUP_WORD_SHIFT);
    add(maps, tables, 1, [numberRule(0, [[slot, [443n]]])]);
    const { numberSlot, numberWord, looksUp } = GroupHeader;
    assert.deepEqual(
      [looksUp, numberSlot, numberWord].map((at) => maps.header.getUint8(at)),
      [1, 2, 6],
    );
    const key = new DataView(new ArrayBuffer(IntKey.sizeof));
    key.setBigUint64(IntKey.value, 443n, true);
    key.setUint32(IntKey.slot, slot, true);
    assert.deepEqual([...maps.map('group_numbers').keys()], [Buffer.from(key.buffer).toString('latin1')]);
  });

  it('a network leads to the rules of all networks around it, while hooks come and go', () => {
    const [maps, tables] = [new Maps(), new GroupTables(false, 1)];
    const slot = 1 | (GroupLimit.GROUP_DESTINATION << GroupLimit.GROUP_WORD_SHIFT);
    /** The rules of the longest network around the address. */
    const find = (...address: readonly number[]): readonly string[] => {
      const keys = [...maps.map('group_networks').keys()].map((key) => Buffer.from(key, 'latin1'));
      const own = keys.filter((key) => {
        assert.deepEqual([key[AddressKey.slot], key[AddressKey.side], key[AddressKey.family]], [1, 1, 2]);
        const bits = key.readUInt32LE(AddressKey.prefixBits) - 32;
        const mask = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
        return key.readUInt32BE(AddressKey.address) === (Buffer.from(address).readUInt32BE() & mask) >>> 0;
      });
      const [longest] = own.sort((a, b) => b.readUInt32LE() - a.readUInt32LE());
      const set = longest && maps.map('group_networks').get(longest.toString('latin1'))?.getUint32(0, true);
      return set === undefined ? [] : maps.rules(set);
    };
    add(maps, tables, 1, [networkRule(slot, [[10, 1, 0, 0], 16], [[192, 168, 0, 1], 32])]);
    add(maps, tables, 2, [networkRule(slot, [[10, 0, 0, 0], 7])]);
    add(maps, tables, 3, [networkRule(slot, [[10, 1, 2, 128], 25], [[0, 0, 0, 0], 0])]);
    const { numberSlot, numberWord, hasAlways } = GroupHeader;
    assert.deepEqual(
      [numberSlot, numberWord, hasAlways].map((at) => maps.header.getUint8(at)),
      [1, GroupLimit.GROUP_DESTINATION, 0],
    );
    assert.deepEqual(find(10, 1, 2, 200), ['1.0', '2.0', '3.0']);
    assert.deepEqual(find(11, 9, 9, 9), ['2.0', '3.0']);
    assert.deepEqual(find(192, 168, 0, 1), ['1.0', '3.0']);
    remove(maps, tables, 3);
    assert.deepEqual(find(10, 1, 2, 200), ['1.0', '2.0']);
    assert.deepEqual(find(8, 8, 8, 8), []);
    // a rule that names no network is always compared
    add(maps, tables, 4, [numberRule(0, [])]);
    assert.equal(maps.header.getUint8(hasAlways), 1);
    for (const hook of [1, 2, 4]) remove(maps, tables, hook);
    assert.equal(maps.map('group_networks').size, 0);
  });

  it('each new hook has a generation of its own, and the longest keys are written before it', () => {
    const tables = new GroupTables(false, 1);
    const generations = ['a', 'bbb', 'cc'].map((value) => {
      const found = tables.add(value.length, [makeRule(0, [['Prefix', value]])])?.found ?? [];
      const headers = found
        .filter(({ map }) => map === 'group_header')
        .map(({ bytes }) => new DataView(bytes.slice(4).buffer));
      assert.equal(headers.length, 2);
      assert.equal(headers[0]?.getUint8(GroupHeader.longestPrefix), headers[1]?.getUint8(GroupHeader.longestPrefix));
      assert.notEqual(headers[0]?.getBigUint64(0, true), headers[1]?.getBigUint64(0, true));
      return headers[1]?.getBigUint64(0, true);
    });
    assert.equal(new Set(generations).size, 3);
  });

  it('with the last value of a kind, its look-up goes, too', () => {
    const [maps, tables] = [new Maps(), new GroupTables(false, 1)];
    const long = `/${'x'.repeat(GroupLimit.GROUP_EQUAL_MAX)}`;
    add(maps, tables, 1, [makeRule(0, [['Postfix', '.service']])]);
    add(maps, tables, 2, [makeRule(0, [['Prefix', '/etc/']])]);
    add(maps, tables, 3, [makeRule(0, [['Equal', '/etc/shadow']])]);
    add(maps, tables, 4, [makeRule(0, [['Equal', long]])]);
    const lengths = (): number[] =>
      [GroupHeader.longestPrefix, GroupHeader.longestPostfix].map((at) => maps.header.getUint8(at));
    assert.deepEqual(lengths(), [long.length + 1, '.service'.length]);
    remove(maps, tables, 4);
    assert.deepEqual(lengths(), ['/etc/'.length, '.service'.length]);
    remove(maps, tables, 1);
    assert.deepEqual(lengths(), ['/etc/'.length, 0]);
    remove(maps, tables, 2);
    assert.deepEqual(lengths(), [0, 0], 'a short value of Equal is in the hash table');
  });

  it('a rule has its actions, and each addition a number of its own, also with the same id of a hook', () => {
    const [maps, tables] = [new Maps(), new GroupTables(false, 1)];
    const rule = {
      ...makeRule(0, [['Equal', 'a']]),
      actions: { order: ['sigkill', 'post'], signal: 9, rateLimit: { scope: 'process', seconds: 5 } },
    } as const;
    const additions = [0, 1].map(() => {
      add(maps, tables, 7, [rule]);
      const entry = maps.map('group_rules').get(u32(0));
      assert.ok(entry);
      assert.equal(entry.getUint8(GroupRule.actionsSignal), 9);
      assert.equal(entry.getUint32(GroupRule.actionsRateScope, true), RateScope.RATE_PROCESS);
      assert.equal(entry.getBigUint64(GroupRule.actionsRateInterval, true), 5_000_000_000n);
      remove(maps, tables, 7);
      return entry.getUint32(GroupRule.addition, true);
    });
    assert.notEqual(additions[0], additions[1]);
    for (const addition of additions) assert.ok(addition > 0 && addition < GroupLimit.GROUP_ADDITIONS);
  });

  it('without room, nothing is added; removed numbers are used again', () => {
    const [maps, tables] = [new Maps(), new GroupTables(true, 1)];
    const rules = (count: number): GroupRuleSource[] =>
      Array.from({ length: count }, (_, i) => makeRule(i % 64, [['Equal', 'a']]));
    for (let hook = 0; hook < 16; hook++) add(maps, tables, hook, rules(64));
    assert.equal(tables.add(99, rules(1)), undefined);
    remove(maps, tables, 5);
    assert.equal(tables.add(99, rules(65)), undefined);
    add(maps, tables, 99, rules(64));
    assert.equal(maps.rules(maps.lookupStart('a')).length, GroupLimit.GROUP_RULES_MAX);
    const many = Array.from({ length: GroupLimit.GROUP_SETS_MAX }, (_, i): Way => ['Equal', `value ${i}`]);
    assert.equal(new GroupTables(true, 1).add(1, [makeRule(0, many)]), undefined);
    const ascending = new GroupTables(false, 1);
    for (let hook = 0; hook < 16; hook++) assert.ok(ascending.add(hook, rules(64)));
    ascending.beginRemoval(3);
    ascending.endRemoval(3);
    assert.equal(ascending.add(99, rules(65)), undefined);
    assert.ok(ascending.add(99, rules(64)));
    const tests = { ...makeRule(0, [['Equal', 'a']]), tests: Array(GroupLimit.GROUP_TESTS_MAX + 1).fill({}) };
    assert.equal(new GroupTables(false, 1).add(1, [tests as GroupRuleSource]), undefined);
  });

  it('counts the memory of what only this hook has', () => {
    const tables = new GroupTables(false, 1);
    tables.add(1, [
      makeRule(0, [
        ['Equal', 'shared'],
        ['Equal', 'own'],
      ]),
    ]);
    const alone = tables.memory(1);
    tables.add(2, [makeRule(0, [['Equal', 'shared']])]);
    assert.ok(tables.memory(1) < alone);
    assert.equal(tables.memory(3), 0);
  });
});

function fits([operator, value]: Way, string: string): boolean {
  if (operator === 'Equal') return string === value;
  return operator === 'Prefix' ? string.startsWith(value) : string.endsWith(value);
}
