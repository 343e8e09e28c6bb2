/**
 * The tables of one group (bpf/group.bpf.h), as user space knows them: which rule has which number, and which rules each
 * value leads to. It encodes the entries that a change writes. Pure.
 */
import type { AddressPrefix } from '../../compiled/compiled-policy.js';
import {
  AddressKey,
  GroupHash,
  GroupHeader,
  GroupLimit,
  GroupRule,
  GroupSet,
  GroupSetIndex,
  GroupTest,
  IntKey,
  TrieKey,
  GroupFlag,
} from '../layout.gen.js';
import { encodeSelector } from './actions.js';
import { clearBit, setBit } from './group-bits.js';
import { GroupFront } from './group-front.js';
import { GroupFurther, numberFurther, stringTests } from './group-further.js';
import {
  isAnyString,
  lookedUpSlot,
  type GroupRuleSource,
  type GroupTestSource,
  type RuleStrings,
} from './group-hook.js';
import { GroupKeys } from './group-keys.js';
import { GroupNames } from './group-names.js';
import { concatBytes, writeAddressKey, writeTrieKey } from './tables.js';

/** Entries, or keys, of one map. */
export interface TableChange {
  readonly map: string;
  readonly bytes: Uint8Array;
}

/** The writes that add a hook, in their order. */
export interface Addition {
  /** Nobody sees them yet. */
  readonly prepared: readonly TableChange[];
  /** From here on, programs find the new values, and no negative cache knows them. */
  readonly found: readonly TableChange[];
  /** From here on, the rules match. */
  readonly enabled: readonly TableChange[];
}

/** The writes that remove a hook. */
export interface Removal {
  readonly disabled: readonly TableChange[];
  readonly deletedKeys: readonly TableChange[];
}

/** The tables of the first string, of the second one, and so on, and those of numbers and networks. */
type Table = StringTableName | 'number' | 'network';
type StringTableName = `${'prefix' | 'postfix'} ${number}`;
const STRINGS = Array.from({ length: GroupLimit.GROUP_STRINGS_MAX }, (_, string) => string);
const STRING_TABLES = STRINGS.flatMap((string) => [`prefix ${string}`, `postfix ${string}`] as const);
const TABLES: readonly Table[] = [...STRING_TABLES, 'number', 'network'];

/** Its values of Equal are in group_equal. */
const FIRST_PREFIX: StringTableName = 'prefix 0';

/** The map with the keys of a table. Those of each string have a slot of their own. */
function mapName(table: Table): string {
  if (table === 'number') return 'group_numbers';
  if (table === 'network') return 'group_networks';
  return table.startsWith('prefix') ? 'group_prefix' : 'group_postfix';
}

/** A set of rules. A value leads to it, or one of the cases of GroupSetIndex. */
interface RuleSet {
  readonly index: number;
  readonly key: string;
  /** Rules with exactly this value; the others have a beginning of it. */
  readonly own: Set<number>;
  /** struct group_set */
  readonly bytes: Uint8Array;
  /** The slot in group_equal; undefined if the key is in another map. */
  readonly slot?: number;
}

interface Member {
  readonly firstRule: number;
  readonly firstTest: number;
  /** All comparisons of each rule. */
  readonly tests: readonly (readonly GroupTestSource[])[];
  readonly rules: readonly GroupRuleSource[];
  /** Numbers of its rules and of their further filters, which follow them. */
  readonly numbers: number;
  /** The number of the addition: group_rule.addition. */
  readonly addition: number;
  /** The hook's own program still reports calls, too. */
  moves: boolean;
  removal?: Removal;
}

const U32 = 4;
const U64 = 8;
const GENERATION_STEP = 0x9e3779b97f4a7c15n;

export class GroupTables {
  readonly #members = new Map<number, Member>();
  readonly #tables: ReadonlyMap<Table, Map<string, RuleSet>> = new Map(TABLES.map((table) => [table, new Map()]));
  readonly #special = new Map<number, RuleSet>();
  readonly #further = new GroupFurther();
  readonly #equal = new EqualSlots();
  readonly #freeSets: number[] = [];
  readonly #rules: Runs;
  readonly #tests = new Runs(GroupLimit.GROUP_TESTS_MAX, false);
  readonly #front: GroupFront;
  readonly #names = new GroupNames();
  readonly #keys = new GroupKeys();
  /** The slot whose number or address is looked up: see GroupRuleSource. */
  #numberSlot: number | undefined;
  #generation = 0n;
  #additions = 0;

  /**
   * `newestFirst`: the events of a call come from the newest hook first, as the kernel runs the programs of a trampoline. As soon
   * as the numbers of removed rules are used again, there is no such order. `frontSlot`: see GroupFront.
   */
  constructor(newestFirst: boolean, frontSlot: number) {
    this.#front = new GroupFront(frontSlot);
    this.#rules = new Runs(GroupLimit.GROUP_RULES_MAX, newestFirst);
    for (let i = GroupLimit.GROUP_SETS_MAX - 1; i >= GroupSetIndex.GROUP_FIRST_SET; i--) this.#freeSets.push(i);
    for (const index of SPECIAL) this.#special.set(index, newSet(index, ''));
  }

  get size(): number {
    return this.#members.size;
  }

  /** Adds the rules of a hook. Undefined if there is no room. `moves`: until `endMove`, the rules leave marks. */
  add(hook: number, rules: readonly GroupRuleSource[], moves = false): Addition | undefined {
    const slot = this.#numberSlot ?? lookedUpSlot(rules);
    const filters = listFilters(rules, slot);
    const keys = filters.flatMap((filter) => filter.keys);
    const added = new Set(keys.filter(({ table, key }) => !this.#table(table).has(key)).map(keyName));
    if (added.size > this.#freeSets.length) return undefined;
    const firstRule = this.#rules.take(filters.length);
    if (firstRule === undefined) return undefined;
    const numbered = numberFurther(rules, firstRule);
    const tests = rules.map((rule, i) => [...stringTests(numbered[i] ?? []), ...rule.tests]);
    const firstTest = this.#tests.take(tests.flat().length);
    if (firstTest === undefined) {
      this.#rules.release(firstRule, filters.length);
      return undefined;
    }
    this.#additions = (this.#additions + 1) % GroupLimit.GROUP_ADDITIONS;
    const addition = this.#additions;
    const member = { firstRule, firstTest, tests, rules, numbers: filters.length, moves, addition };
    this.#members.set(hook, member);
    this.#front.count(rules, 1);
    const folders = this.#names.add(rules);
    if (keys.some(({ table }) => table === 'number' || table === 'network')) this.#numberSlot = slot;
    numbered.forEach((further, i) => this.#further.add(firstRule + i, further));
    const changed = new Set<RuleSet>();
    const created: { readonly table: Table; readonly set: RuleSet }[] = [];
    filters.forEach(({ keys: own, special }, i) => {
      const number = firstRule + i;
      for (const { table, key } of own) this.#addKey(table, key, number, changed, created);
      for (const index of special) {
        const set = this.#special.get(index) as RuleSet;
        set.own.add(number);
        setBit(set.bytes, number);
        changed.add(set);
      }
    });
    const before = this.#encodeHeader();
    this.#generation = BigInt.asUintN(64, this.#generation + GENERATION_STEP);
    return {
      prepared: [
        { map: 'group_tests', bytes: encodeTests(member) },
        { map: 'group_rules', bytes: encodeRules(hook, member, false) },
        { map: 'group_rules', bytes: encodeFurther(hook, member) },
        { map: 'group_sets', bytes: this.#encodeSets([...changed]) },
      ],
      found: [
        ...TABLES.flatMap((table) => {
          const own = created
            .filter((each) => each.table === table && each.set.slot === undefined)
            .map(({ set }) => set);
          return own.length === 0 ? [] : [{ map: mapName(table), bytes: encodeKeys(table, own, true) }];
        }),
        ...this.#encodeSlots(
          created.map(({ set }) => set),
          true,
        ),
        ...encodeFolders(folders, true),
        // a program that sees the new generation must see the new lengths, too
        before,
        this.#encodeHeader(),
      ],
      enabled: [{ map: 'group_rules', bytes: encodeRules(hook, member, true) }],
    };
  }

  #addKey(
    table: Table,
    key: string,
    rule: number,
    changed: Set<RuleSet>,
    created: { readonly table: Table; readonly set: RuleSet }[],
  ): void {
    const sets = this.#table(table);
    let set = sets.get(key);
    if (set === undefined) {
      const slot = table === FIRST_PREFIX ? this.#equal.take(key) : undefined;
      set = newSet(this.#freeSets.pop() as number, key, slot);
      if (table !== 'number') {
        for (const each of beginnings(sets, key)) for (const other of each.own) setBit(set.bytes, other);
      }
      sets.set(key, set);
      this.#countKey(table, key, 1);
      created.push({ table, set });
    }
    set.own.add(rule);
    setBit(set.bytes, rule);
    changed.add(set);
    if (table === 'number') return;
    for (const longer of sets.values()) {
      if (!longer.key.startsWith(key)) continue;
      setBit(longer.bytes, rule);
      changed.add(longer);
    }
  }

  /** Counts a key that is looked up as a number or as an address. */
  #countKey(table: Table, key: string, sign: 1 | -1): void {
    const [, second = '', digits = ''] = key.split(' ');
    if (table === 'number') this.#keys.countNumber(BigInt(second), sign);
    else if (table === 'network') this.#keys.countNetwork(second === '4' ? 4 : 6, digits, sign);
  }

  /** Must be called when the hook's own program reports nothing more. */
  endMove(hook: number): TableChange[] {
    const member = this.#members.get(hook);
    if (member === undefined || !member.moves) return [];
    member.moves = false;
    return [{ map: 'group_rules', bytes: encodeRules(hook, member, true) }];
  }

  /** Begins to remove a hook. A further call gives the same again. */
  beginRemoval(hook: number): Removal | undefined {
    const member = this.#members.get(hook);
    if (member === undefined) return undefined;
    member.removal ??= {
      disabled: [
        { map: 'group_rules', bytes: encodeRules(hook, member, false, true) },
        ...this.#encodeSlots(
          [...this.#table(FIRST_PREFIX).values()].filter(({ own }) => isUsedOnlyBy(own, member)),
          false,
        ),
      ],
      deletedKeys: this.#listDeletedKeys(member),
    };
    return member.removal;
  }

  #listDeletedKeys(member: Member): TableChange[] {
    const keys = TABLES.flatMap((table) => {
      const sets = [...this.#table(table).values()].filter(
        ({ own, slot }) => slot === undefined && isUsedOnlyBy(own, member),
      );
      return sets.length === 0 ? [] : [{ map: mapName(table), bytes: encodeKeys(table, sets, false) }];
    });
    return [...keys, ...encodeFolders(this.#names.ownFolders(member.rules), false)];
  }

  /** Must be called when no program can still see the rules and the deleted keys. Their numbers are free afterwards. */
  endRemoval(hook: number): TableChange[] {
    const member = this.#members.get(hook);
    if (member === undefined) return [];
    const changed: RuleSet[] = [];
    for (const table of TABLES) {
      for (const [key, set] of this.#table(table)) {
        const isDeleted = isUsedOnlyBy(set.own, member);
        if (clearRules(set, member)) changed.push(set);
        if (!isDeleted) continue;
        this.#table(table).delete(key);
        this.#countKey(table, key, -1);
        this.#freeSets.push(set.index);
        if (set.slot !== undefined) this.#equal.release(set.slot);
      }
    }
    for (const set of this.#special.values()) if (clearRules(set, member)) changed.push(set);
    this.#members.delete(hook);
    this.#front.count(member.rules, -1);
    this.#names.remove(member.rules);
    this.#rules.release(member.firstRule, member.numbers);
    this.#tests.release(member.firstTest, member.tests.flat().length);
    for (let i = 0; i < member.numbers; i++) this.#further.remove(member.firstRule + i);
    return [{ map: 'group_sets', bytes: this.#encodeSets(changed) }, this.#encodeHeader()];
  }

  /** Bytes of kernel memory for the rules of a hook and for the values that only it has. */
  memory(hook: number): number {
    const member = this.#members.get(hook);
    if (member === undefined) return 0;
    let bytes = member.numbers * GroupRule.sizeof + member.tests.flat().length * GroupTest.sizeof;
    for (const table of TABLES) {
      for (const { own, key, slot } of this.#table(table).values()) {
        if (isUsedOnlyBy(own, member)) bytes += GroupSet.sizeof + (slot === undefined ? NODE_BYTES + key.length : U64);
      }
    }
    for (const folder of this.#names.ownFolders(member.rules)) bytes += NODE_BYTES + folder.length;
    return bytes;
  }

  /** The slots of these sets; empty ones if they are not `used`. */
  #encodeSlots(sets: readonly RuleSet[], used: boolean): TableChange[] {
    const entries = sets.flatMap(({ slot, key, index }) => {
      if (slot === undefined) return [];
      const entry = new DataView(new ArrayBuffer(U32 + U64));
      entry.setUint32(0, slot, true);
      if (used) entry.setBigUint64(U32, (BigInt(hashTag(hashString(key))) << 32n) | BigInt(index), true);
      return [new Uint8Array(entry.buffer)];
    });
    return entries.length === 0 ? [] : [{ map: 'group_equal', bytes: concatBytes(entries) }];
  }

  #encodeSets(sets: readonly RuleSet[]): Uint8Array {
    return concatBytes(
      sets.flatMap(({ index, bytes: all }) => {
        const bytes = this.#further.visibleRules(all);
        const view = new DataView(bytes.buffer);
        view.setUint32(GroupSet.lowest, lowestRule(bytes), true);
        view.setUint32(GroupSet.hasRules, Number(this.#further.hasRules(bytes)), true);
        return [encodeU32(index), bytes];
      }),
    );
  }

  #table(table: Table): Map<string, RuleSet> {
    return this.#tables.get(table) as Map<string, RuleSet>;
  }

  /** Bytes of the longest key in the tables of all strings. */
  #longestKey(end: 'prefix' | 'postfix'): number {
    return Math.max(...STRINGS.map((string) => longestKey(this.#table(`${end} ${string}`))));
  }

  #encodeHeader(): TableChange {
    const entry = new DataView(new ArrayBuffer(U32 + GroupHeader.sizeof));
    entry.setBigUint64(U32 + GroupHeader.generation, this.#generation, true);
    entry.setUint8(U32 + GroupHeader.longestPrefix, this.#longestKey('prefix'));
    entry.setUint8(U32 + GroupHeader.longestPostfix, this.#longestKey('postfix'));
    entry.setUint8(U32 + GroupHeader.looksUp, Number(this.#numberSlot !== undefined));
    const [slot, word] = splitSlot(this.#numberSlot ?? 0);
    entry.setUint8(U32 + GroupHeader.numberSlot, slot);
    entry.setUint8(U32 + GroupHeader.numberWord, word);
    const always = this.#special.get(GroupSetIndex.GROUP_ALWAYS) as RuleSet;
    entry.setUint8(U32 + GroupHeader.hasAlways, Number(always.own.size > 0));
    entry.setUint8(U32 + GroupHeader.hasEqual, Number(this.#equal.size > 0));
    entry.setUint8(U32 + GroupHeader.hasFurther, Number(!this.#further.isEmpty));
    this.#front.encode(entry, U32);
    this.#names.encode(entry, U32);
    this.#keys.encode(entry, U32);
    return { map: 'group_header', bytes: new Uint8Array(entry.buffer) };
  }
}

/** A slot, and the number of a word of its struct net_detail, plus 1; or 0: the value is the number itself. */
function splitSlot(slot: number): readonly [slot: number, word: number] {
  return [slot & ((1 << GroupLimit.GROUP_WORD_SHIFT) - 1), slot >> GroupLimit.GROUP_WORD_SHIFT];
}

/** What the kernel needs for an entry of a trie or hash table, apart from its key. */
const NODE_BYTES = 48;

const SPECIAL: readonly number[] = [
  GroupSetIndex.GROUP_ALWAYS,
  ...STRINGS.flatMap((string) =>
    [GroupSetIndex.GROUP_UNKNOWN_STRING, GroupSetIndex.GROUP_CUT_START, GroupSetIndex.GROUP_CUT_END].map(
      (index) => index + string * GroupSetIndex.GROUP_STRING_SETS,
    ),
  ),
];

/** The keys and special sets that lead to a rule, or to a further filter. */
interface Filter {
  readonly keys: readonly RuleKey[];
  readonly special: readonly number[];
}

/** The rules of a hook, then their further filters. `slot`: of the number that is looked up. */
function listFilters(rules: readonly GroupRuleSource[], slot: number | undefined): Filter[] {
  const own = rules.map((rule) => {
    const keys = ruleKeys(rule, slot);
    if (rule.strings === undefined) return { keys, special: keys.length === 0 ? [GroupSetIndex.GROUP_ALWAYS] : [] };
    // what is unknown does not matter to a rule to which each string leads
    return { keys, special: unknownSets(rule.strings, isAnyString(rule.strings) || !suppresses(rule)) };
  });
  const further = rules.flatMap((rule) =>
    // an unknown part satisfies each filter, except for a selector that only suppresses events
    rule.further.map((strings) => ({
      keys: stringKeys(strings),
      special: unknownSets(strings, suppresses(rule) === strings.negate),
    })),
  );
  return [...own, ...further];
}

function suppresses({ flags }: GroupRuleSource): boolean {
  return (flags & GroupFlag.GROUP_SUPPRESSES) !== 0;
}

/** The sets of strings with unknown parts for which a filter `counts` as one that holds. */
function unknownSets({ string, table, isPrefix }: RuleStrings, counts: boolean): number[] {
  if (!counts) return [];
  return [
    GroupSetIndex.GROUP_UNKNOWN_STRING,
    ...(isPrefix ? [GroupSetIndex.GROUP_CUT_START] : []),
    ...(table === 'postfix' ? [GroupSetIndex.GROUP_CUT_END] : []),
  ].map((index) => index + string * GroupSetIndex.GROUP_STRING_SETS);
}

interface RuleKey {
  readonly table: Table;
  readonly key: string;
}

function keyName({ table, key }: RuleKey): string {
  return `${table} ${key}`;
}

function stringKeys({ string, table, keys }: RuleStrings): RuleKey[] {
  return keys.map((key) => ({ table: `${table} ${string}`, key }));
}

/** The keys that lead to a rule; none for a rule that is always compared. */
function ruleKeys({ strings, numbers, networks }: GroupRuleSource, slot: number | undefined): RuleKey[] {
  if (strings !== undefined) return stringKeys(strings);
  if (slot === undefined) return [];
  return [
    ...(numbers.get(slot) ?? []).map((value) => ({ table: 'number', key: `${slot} ${value}` }) as const),
    ...(networks.get(slot) ?? []).map((network) => ({ table: 'network', key: networkKey(slot, network) }) as const),
  ];
}

/** The key of a network begins with that of each wider one: it has a digit for each bit. */
function networkKey(slot: number, { family, bytes, bits }: AddressPrefix): string {
  const digits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return `${slot} ${family} ${digits.slice(0, bits)}`;
}

function newSet(index: number, key: string, slot?: number): RuleSet {
  const bytes = new Uint8Array(GroupSet.sizeof);
  if (slot === undefined) return { index, key, own: new Set(), bytes };
  writeString(bytes, key.slice(0, -1));
  return { index, key, own: new Set(), bytes, slot };
}

/** Writes the string of a value of Equal, and the number of its words. */
function writeString(bytes: Uint8Array, string: string): void {
  for (let i = 0; i < string.length; i++) bytes[GroupSet.string + i] = string.charCodeAt(i);
  const view = new DataView(bytes.buffer);
  view.setUint32(GroupSet.stringWords, Math.ceil(string.replace(/\0+$/, '').length / U64), true);
}

/** Bytes of the longest key that is in the map of the table. */
function longestKey(sets: ReadonlyMap<string, RuleSet>): number {
  let longest = 0;
  // the empty key, to which each string leads, is looked up like one byte
  for (const { key, slot } of sets.values()) if (slot === undefined) longest = Math.max(longest, key.length, 1);
  return longest;
}

function beginnings(sets: ReadonlyMap<string, RuleSet>, key: string): RuleSet[] {
  const result: RuleSet[] = [];
  for (let length = 0; length < key.length; length++) {
    const set = sets.get(key.slice(0, length));
    if (set !== undefined) result.push(set);
  }
  return result;
}

/** Removes the rules and further filters of a hook from the set. Returns true if it had one. */
function clearRules(set: RuleSet, { firstRule, numbers }: Member): boolean {
  let hadOne = false;
  for (let rule = firstRule; rule < firstRule + numbers; rule++) {
    set.own.delete(rule);
    hadOne = clearBit(set.bytes, rule) || hadOne;
  }
  return hadOne;
}

/** True if the set has rules or further filters of this hook as its own, and none of other hooks. */
function isUsedOnlyBy(own: ReadonlySet<number>, { firstRule, numbers }: Member): boolean {
  return own.size > 0 && [...own].every((rule) => rule >= firstRule && rule < firstRule + numbers);
}

/** The lowest rule of a set, or 0. */
function lowestRule(bytes: Uint8Array): number {
  const end = GroupSet.words + GroupSet.wordsStride * GroupSet.wordsLength;
  const at = bytes.subarray(GroupSet.words, end).findIndex((each) => each !== 0);
  return at < 0
    ? 0
    : 8 * at + 31 - Math.clz32((bytes[GroupSet.words + at] as number) & -(bytes[GroupSet.words + at] as number));
}

function encodeU32(value: number): Uint8Array {
  const bytes = new Uint8Array(U32);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** Encodes the keys. `withSets`: each is followed by the index of its set. */
function encodeKeys(table: Table, sets: readonly RuleSet[], withSets: boolean): Uint8Array {
  return concatBytes(
    sets.flatMap(({ key, index }) => [encodeKey(table, key), ...(withSets ? [encodeU32(index)] : [])]),
  );
}

/** `keys`: of GroupNames. `withLengths`: each is followed by the length of the folder. */
function encodeFolders(keys: readonly string[], withLengths: boolean): TableChange[] {
  if (keys.length === 0) return [];
  const entries = keys.flatMap((key) => [
    encodeStringKey(key.slice(1), key.charCodeAt(0)),
    ...(withLengths ? [encodeU32(key.length - 1)] : []),
  ]);
  return [{ map: 'group_folders', bytes: concatBytes(entries) }];
}

function encodeStringKey(key: string, slot: number): Uint8Array {
  const bytes = new Uint8Array(TrieKey.sizeof);
  const text = Uint8Array.from(key, (character) => character.charCodeAt(0));
  writeTrieKey(bytes, slot, text, false);
  return bytes;
}

function encodeNumberKey(key: string): Uint8Array {
  const [slot = '', value = ''] = key.split(' ');
  const view = new DataView(new ArrayBuffer(IntKey.sizeof));
  view.setBigUint64(IntKey.value, BigInt(value), true);
  view.setUint32(IntKey.slot, Number(slot), true);
  return new Uint8Array(view.buffer);
}

function encodeNetworkKey(key: string): Uint8Array {
  const [slot = '', family = '', digits = ''] = key.split(' ');
  const [index, word] = splitSlot(Number(slot));
  const view = new DataView(new ArrayBuffer(AddressKey.sizeof));
  const bytes = (digits.padEnd(8 * Math.ceil(digits.length / 8), '0').match(/.{8}/g) ?? []).map((byte) =>
    parseInt(byte, 2),
  );
  const value = { family: family === '4' ? 4 : 6, bytes, bits: digits.length } as const;
  writeAddressKey(view, index, word - GroupLimit.GROUP_SOURCE, value);
  return new Uint8Array(view.buffer);
}

function encodeKey(table: Table, key: string): Uint8Array {
  if (table === 'number') return encodeNumberKey(key);
  if (table === 'network') return encodeNetworkKey(key);
  return encodeStringKey(key, Number(table.split(' ')[1]));
}

/**
 * Encodes the rules. While they become enabled one after the other, the first that matches must be among those that are:
 * they are enabled in their order, and disabled in the reverse one (`backwards`).
 */
function encodeRules(hook: number, member: Member, enabled: boolean, backwards = false): Uint8Array {
  const { firstRule, rules, tests, addition } = member;
  const moveFlag = member.moves ? GroupFlag.GROUP_LEAVES_MARK : 0;
  let firstTest = member.firstTest;
  const entries = rules.map(({ selector, flags, actions }, i) => {
    const testsCount = tests[i]?.length ?? 0;
    const entry = new DataView(new ArrayBuffer(U32 + GroupRule.sizeof));
    entry.setUint32(0, firstRule + i, true);
    entry.setUint32(U32 + GroupRule.hook, hook, true);
    entry.setUint16(U32 + GroupRule.firstTest, firstTest, true);
    entry.setUint16(U32 + GroupRule.testsCount, testsCount, true);
    entry.setUint8(U32 + GroupRule.selector, selector);
    entry.setUint8(U32 + GroupRule.flags, flags | moveFlag);
    entry.setUint8(U32 + GroupRule.enabled, Number(enabled));
    entry.setUint32(U32 + GroupRule.addition, addition, true);
    if (actions !== undefined) encodeSelector(entry, U32 + GroupRule.actions, actions);
    firstTest += testsCount;
    return new Uint8Array(entry.buffer);
  });
  return concatBytes(backwards ? entries.reverse() : entries);
}

/** Entries of the further filters, which are never enabled. */
function encodeFurther(hook: number, { firstRule, rules, numbers }: Member): Uint8Array {
  const entries = Array.from({ length: numbers - rules.length }, (_, i) => {
    const entry = new DataView(new ArrayBuffer(U32 + GroupRule.sizeof));
    entry.setUint32(0, firstRule + rules.length + i, true);
    entry.setUint32(U32 + GroupRule.hook, hook, true);
    return new Uint8Array(entry.buffer);
  });
  return concatBytes(entries);
}

function encodeTests({ firstTest, tests }: Member): Uint8Array {
  return concatBytes(tests.flat().map((test, i) => encodeTest(firstTest + i, test)));
}

function encodeTest(number: number, { value, upper, index, kind, op, last, negate }: GroupTestSource): Uint8Array {
  const entry = new DataView(new ArrayBuffer(U32 + GroupTest.sizeof));
  entry.setUint32(0, number, true);
  entry.setBigUint64(U32 + GroupTest.value, value, true);
  entry.setBigUint64(U32 + GroupTest.upper, upper, true);
  entry.setUint16(U32 + GroupTest.index, index, true);
  entry.setUint8(U32 + GroupTest.kind, kind);
  entry.setUint8(U32 + GroupTest.op, op);
  entry.setUint8(U32 + GroupTest.last, Number(last));
  entry.setUint8(U32 + GroupTest.negate, Number(negate));
  return new Uint8Array(entry.buffer);
}

/** The slots of group_equal. */
class EqualSlots {
  /** The upper half of each slot that is in use. */
  readonly #tags = new Map<number, number>();

  get size(): number {
    return this.#tags.size;
  }

  /** Takes a slot for a key of Equal. Undefined for other keys, for long ones, and if there is no free slot. */
  take(key: string): number | undefined {
    if (!key.endsWith('\0') || key.length > GroupLimit.GROUP_EQUAL_MAX + 1) return undefined;
    const hash = hashString(key);
    const tag = hashTag(hash);
    const home = Number(hash >> BigInt(64 - GroupLimit.GROUP_SLOT_BITS));
    const slots = [home, home ^ 1];
    // an empty slot has the tag 0, and the program compares the string of the first slot with the tag only
    if (tag === 0 || slots.some((slot) => this.#tags.get(slot) === tag)) return undefined;
    const free = slots.find((slot) => !this.#tags.has(slot));
    if (free !== undefined) this.#tags.set(free, tag);
    return free;
  }

  release(slot: number): void {
    this.#tags.delete(slot);
  }
}

const HASH_FACTOR = (BigInt(GroupHash.GROUP_HASH_UPPER) << 32n) | BigInt(GroupHash.GROUP_HASH_LOWER);

/** The hash of a key of Equal, as hash_string() of bpf/group_strings.bpf.h computes it. */
function hashString(key: string): bigint {
  const text = Buffer.from(key.padEnd(GroupLimit.GROUP_EQUAL_MAX + U64, '\0'), 'latin1');
  let [hash, power] = [0n, 1n];
  for (let at = 0; at < GroupLimit.GROUP_EQUAL_MAX; at += U64) {
    power = BigInt.asUintN(64, power * HASH_FACTOR);
    hash += text.readBigUInt64LE(at) * power;
  }
  return BigInt.asUintN(64, hash);
}

/** The 32 bits of the hash that follow those of the number of the slot. */
function hashTag(hash: bigint): number {
  return Number(BigInt.asUintN(64, hash << BigInt(GroupLimit.GROUP_SLOT_BITS)) >> 32n);
}

/** Numbers that are given out in runs, from the lowest on, or from the highest on (`descending`). */
class Runs {
  readonly #used: Uint8Array;
  readonly #descending: boolean;

  constructor(size: number, descending: boolean) {
    this.#used = new Uint8Array(size);
    this.#descending = descending;
  }

  /** Returns the first number of the run; undefined if there is no such run. */
  take(count: number): number | undefined {
    const size = this.#used.length;
    const lowest = this.#used.indexOf(1);
    const next = this.#descending ? (lowest < 0 ? size : lowest) - count : this.#used.lastIndexOf(1) + 1;
    const first = next >= 0 && next + count <= size ? next : this.#findGap(count);
    if (first !== undefined) this.#used.fill(1, first, first + count);
    return first;
  }

  #findGap(count: number): number | undefined {
    const size = this.#used.length;
    let free = 0;
    for (let i = 0; i < size; i++) {
      const at = this.#descending ? size - 1 - i : i;
      free = this.#used[at] === 0 ? free + 1 : 0;
      if (free >= count) return this.#descending ? at : at - count + 1;
    }
    return undefined;
  }

  release(first: number, count: number): void {
    this.#used.fill(0, first, first + count);
  }
}
