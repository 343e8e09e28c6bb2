/**
 * The tables of one group (bpf/group.bpf.h), as user space knows them: which rule has which number, and which rules each
 * value leads to. It encodes the entries that a change writes. Pure.
 */
import {
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
import { GroupFront } from './group-front.js';
import type { GroupRuleSource, GroupTestSource } from './group-hook.js';
import { concatBytes, writeTrieKey } from './tables.js';

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

type Table = 'prefix' | 'postfix' | 'number';
const MAPS: Readonly<Record<Table, string>> = {
  prefix: 'group_prefix',
  postfix: 'group_postfix',
  number: 'group_numbers',
};
const TABLES = Object.keys(MAPS) as Table[];

/** A set of rules. A value leads to it, or one of the cases of GroupSetIndex. */
interface RuleSet {
  readonly index: number;
  readonly key: string;
  /** Rules with exactly this value; the others have a beginning of it. */
  readonly own: Set<number>;
  /** struct group_set */
  readonly bytes: Uint8Array;
}

interface Member {
  readonly firstRule: number;
  readonly firstTest: number;
  readonly tests: number;
  readonly rules: readonly GroupRuleSource[];
  /** The hook's own program still reports calls, too. */
  moves: boolean;
  removal?: Removal;
}

const U32 = 4;
const GENERATION_STEP = 0x9e3779b97f4a7c15n;

export class GroupTables {
  readonly #members = new Map<number, Member>();
  readonly #tables: Readonly<Record<Table, Map<string, RuleSet>>> = {
    prefix: new Map(),
    postfix: new Map(),
    number: new Map(),
  };
  readonly #special = new Map<number, RuleSet>();
  readonly #freeSets: number[] = [];
  readonly #rules: Runs;
  readonly #tests = new Runs(GroupLimit.GROUP_TESTS_MAX, false);
  readonly #front: GroupFront;
  readonly #longest = { prefix: 0, postfix: 0, number: 0 };
  /** The slot whose number is looked up. */
  #numberSlot: number | undefined;
  #generation = 0n;

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
    const tests = rules.reduce((sum, rule) => sum + rule.tests.length, 0);
    const slot = this.#numberSlot ?? [...(rules[0]?.numbers.keys() ?? [])][0];
    const keys = rules.map((rule) => ruleKeys(rule, slot));
    const added = new Set(
      keys
        .flat()
        .filter(({ table, key }) => !this.#tables[table].has(key))
        .map(keyName),
    );
    if (added.size > this.#freeSets.length) return undefined;
    const firstRule = this.#rules.take(rules.length);
    const firstTest = firstRule === undefined ? undefined : this.#tests.take(tests);
    if (firstRule === undefined) return undefined;
    if (firstTest === undefined) {
      this.#rules.release(firstRule, rules.length);
      return undefined;
    }
    const member = { firstRule, firstTest, tests, rules, moves };
    this.#members.set(hook, member);
    this.#front.count(rules, 1);
    if (keys.flat().some(({ table }) => table === 'number')) this.#numberSlot = slot;
    const changed = new Set<RuleSet>();
    const created: { readonly table: Table; readonly set: RuleSet }[] = [];
    rules.forEach((rule, i) => {
      for (const { table, key } of keys[i] ?? []) this.#addKey(table, key, firstRule + i, changed, created);
      for (const index of specialSets(rule, keys[i]?.length === 0)) {
        const set = this.#special.get(index) as RuleSet;
        set.own.add(firstRule + i);
        setBit(set.bytes, firstRule + i);
        changed.add(set);
      }
    });
    const before = this.#encodeHeader();
    this.#generation = BigInt.asUintN(64, this.#generation + GENERATION_STEP);
    return {
      prepared: [
        { map: 'group_tests', bytes: encodeTests(member) },
        { map: 'group_rules', bytes: encodeRules(hook, member, false) },
        { map: 'group_sets', bytes: encodeSets([...changed]) },
      ],
      found: [
        ...TABLES.flatMap((table) => {
          const own = created.filter((each) => each.table === table).map(({ set }) => set);
          return own.length === 0 ? [] : [{ map: MAPS[table], bytes: encodeKeys(table, own, true) }];
        }),
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
    const sets = this.#tables[table];
    let set = sets.get(key);
    if (set === undefined) {
      set = newSet(this.#freeSets.pop() as number, key);
      if (table !== 'number') {
        for (const each of beginnings(sets, key)) for (const other of each.own) setBit(set.bytes, other);
        this.#longest[table] = Math.max(this.#longest[table], key.length);
      }
      sets.set(key, set);
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
      disabled: [{ map: 'group_rules', bytes: encodeRules(hook, member, false, true) }],
      deletedKeys: this.#listDeletedKeys(member),
    };
    return member.removal;
  }

  #listDeletedKeys(member: Member): TableChange[] {
    return TABLES.flatMap((table) => {
      const sets = [...this.#tables[table].values()].filter(({ own }) => hasOnlyRulesOf(own, member));
      return sets.length === 0 ? [] : [{ map: MAPS[table], bytes: encodeKeys(table, sets, false) }];
    });
  }

  /** Must be called when no program can still see the rules and the deleted keys. Their numbers are free afterwards. */
  endRemoval(hook: number): TableChange[] {
    const member = this.#members.get(hook);
    if (member === undefined) return [];
    const changed: RuleSet[] = [];
    for (const sets of [...TABLES.map((table) => this.#tables[table]), this.#special]) {
      for (const [key, set] of sets as Map<unknown, RuleSet>) {
        const isDeleted = sets !== this.#special && hasOnlyRulesOf(set.own, member);
        if (clearRules(set, member)) changed.push(set);
        if (!isDeleted) continue;
        (sets as Map<unknown, RuleSet>).delete(key);
        this.#freeSets.push(set.index);
      }
    }
    this.#members.delete(hook);
    this.#front.count(member.rules, -1);
    this.#rules.release(member.firstRule, member.rules.length);
    this.#tests.release(member.firstTest, member.tests);
    return [{ map: 'group_sets', bytes: encodeSets(changed) }, this.#encodeHeader()];
  }

  /** Bytes of kernel memory for the rules of a hook and for the values that only it has. */
  memory(hook: number): number {
    const member = this.#members.get(hook);
    if (member === undefined) return 0;
    let bytes = member.rules.length * GroupRule.sizeof + member.tests * GroupTest.sizeof;
    for (const table of TABLES) {
      for (const { own, key } of this.#tables[table].values()) {
        if (hasOnlyRulesOf(own, member)) bytes += GroupSet.sizeof + NODE_BYTES + key.length;
      }
    }
    return bytes;
  }

  #encodeHeader(): TableChange {
    const entry = new DataView(new ArrayBuffer(U32 + GroupHeader.sizeof));
    entry.setBigUint64(U32 + GroupHeader.generation, this.#generation, true);
    entry.setUint8(U32 + GroupHeader.longestPrefix, this.#longest.prefix);
    entry.setUint8(U32 + GroupHeader.longestPostfix, this.#longest.postfix);
    entry.setUint8(U32 + GroupHeader.looksUp, Number(this.#numberSlot !== undefined));
    entry.setUint8(U32 + GroupHeader.numberSlot, this.#numberSlot ?? 0);
    const always = this.#special.get(GroupSetIndex.GROUP_ALWAYS) as RuleSet;
    entry.setUint8(U32 + GroupHeader.hasAlways, Number(always.own.size > 0));
    this.#front.encode(entry, U32);
    return { map: 'group_header', bytes: new Uint8Array(entry.buffer) };
  }
}

/** What the kernel needs for an entry of a trie or hash table, apart from its key. */
const NODE_BYTES = 48;

const SPECIAL: readonly number[] = [
  GroupSetIndex.GROUP_ALWAYS,
  GroupSetIndex.GROUP_UNKNOWN_STRING,
  GroupSetIndex.GROUP_CUT_START,
  GroupSetIndex.GROUP_CUT_END,
];

/** The sets of a rule that no value leads to. `isAlways`: the rule has no key. */
function specialSets({ strings, flags }: GroupRuleSource, isAlways: boolean): number[] {
  if (strings === undefined) return isAlways ? [GroupSetIndex.GROUP_ALWAYS] : [];
  // unknown parts do not match a selector that only suppresses events
  if ((flags & GroupFlag.GROUP_SUPPRESSES) !== 0) return [];
  return [
    GroupSetIndex.GROUP_UNKNOWN_STRING,
    ...(strings.isPrefix ? [GroupSetIndex.GROUP_CUT_START] : []),
    ...(strings.table === 'postfix' ? [GroupSetIndex.GROUP_CUT_END] : []),
  ];
}

interface RuleKey {
  readonly table: Table;
  readonly key: string;
}

function keyName({ table, key }: RuleKey): string {
  return `${table} ${key}`;
}

/** The keys that lead to a rule; none for a rule that is always compared. */
function ruleKeys({ strings, numbers }: GroupRuleSource, slot: number | undefined): RuleKey[] {
  if (strings !== undefined) return strings.keys.map((key) => ({ table: strings.table, key }));
  const own = slot === undefined ? undefined : numbers.get(slot);
  return (own ?? []).map((value) => ({ table: 'number', key: `${slot} ${value}` }));
}

function newSet(index: number, key: string): RuleSet {
  return { index, key, own: new Set(), bytes: new Uint8Array(GroupSet.sizeof) };
}

function beginnings(sets: ReadonlyMap<string, RuleSet>, key: string): RuleSet[] {
  const result: RuleSet[] = [];
  for (let length = 0; length < key.length; length++) {
    const set = sets.get(key.slice(0, length));
    if (set !== undefined) result.push(set);
  }
  return result;
}

function setBit(bytes: Uint8Array, rule: number): void {
  const word = rule >> 6;
  bytes[GroupSet.words + (rule >> 3)] = (bytes[GroupSet.words + (rule >> 3)] ?? 0) | (1 << (rule & 7));
  bytes[word >> 3] = (bytes[word >> 3] ?? 0) | (1 << (word & 7));
}

/** Removes the rules of a hook from the set. Returns true if it had one. */
function clearRules(set: RuleSet, { firstRule, rules }: Member): boolean {
  let hadOne = false;
  for (let rule = firstRule; rule < firstRule + rules.length; rule++) {
    set.own.delete(rule);
    const at = GroupSet.words + (rule >> 3);
    const byte = set.bytes[at] ?? 0;
    if ((byte & (1 << (rule & 7))) === 0) continue;
    hadOne = true;
    set.bytes[at] = byte & ~(1 << (rule & 7));
    const word = rule >> 6;
    const first = GroupSet.words + word * GroupSet.wordsStride;
    if (set.bytes.subarray(first, first + GroupSet.wordsStride).some((each) => each !== 0)) continue;
    set.bytes[word >> 3] = (set.bytes[word >> 3] ?? 0) & ~(1 << (word & 7));
  }
  return hadOne;
}

/** True if the set has rules of this hook as its own, and none of other hooks. */
function hasOnlyRulesOf(own: ReadonlySet<number>, { firstRule, rules }: Member): boolean {
  return own.size > 0 && [...own].every((rule) => rule >= firstRule && rule < firstRule + rules.length);
}

function encodeSets(sets: readonly RuleSet[]): Uint8Array {
  return concatBytes(sets.flatMap(({ index, bytes }) => [encodeU32(index), bytes]));
}

function encodeU32(value: number): Uint8Array {
  const bytes = new Uint8Array(U32);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** Encodes the keys. `withSets`: each is followed by the index of its set. */
function encodeKeys(table: Table, sets: readonly RuleSet[], withSets: boolean): Uint8Array {
  return concatBytes(
    sets.flatMap(({ key, index }) => [
      table === 'number' ? encodeNumberKey(key) : encodeStringKey(key),
      ...(withSets ? [encodeU32(index)] : []),
    ]),
  );
}

function encodeStringKey(key: string): Uint8Array {
  const bytes = new Uint8Array(TrieKey.sizeof);
  const text = Uint8Array.from(key, (character) => character.charCodeAt(0));
  writeTrieKey(bytes, 0, text, false);
  return bytes;
}

function encodeNumberKey(key: string): Uint8Array {
  const [slot = '', value = ''] = key.split(' ');
  const view = new DataView(new ArrayBuffer(IntKey.sizeof));
  view.setBigUint64(IntKey.value, BigInt(value), true);
  view.setUint32(IntKey.slot, Number(slot), true);
  return new Uint8Array(view.buffer);
}

/**
 * Encodes the rules. While they become enabled one after the other, the first that matches must be among those that are:
 * they are enabled in their order, and disabled in the reverse one (`backwards`).
 */
function encodeRules(hook: number, member: Member, enabled: boolean, backwards = false): Uint8Array {
  const { firstRule, rules } = member;
  const moveFlag = member.moves ? GroupFlag.GROUP_LEAVES_MARK : 0;
  let firstTest = member.firstTest;
  const entries = rules.map(({ selector, flags, tests }, i) => {
    const entry = new DataView(new ArrayBuffer(U32 + GroupRule.sizeof));
    entry.setUint32(0, firstRule + i, true);
    entry.setUint32(U32 + GroupRule.hook, hook, true);
    entry.setUint16(U32 + GroupRule.firstTest, firstTest, true);
    entry.setUint16(U32 + GroupRule.testsCount, tests.length, true);
    entry.setUint8(U32 + GroupRule.selector, selector);
    entry.setUint8(U32 + GroupRule.flags, flags | moveFlag);
    entry.setUint8(U32 + GroupRule.enabled, Number(enabled));
    firstTest += tests.length;
    return new Uint8Array(entry.buffer);
  });
  return concatBytes(backwards ? entries.reverse() : entries);
}

function encodeTests({ firstTest, rules }: Member): Uint8Array {
  return concatBytes(rules.flatMap(({ tests }) => tests).map((test, i) => encodeTest(firstTest + i, test)));
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
