/**
 * The groups of a tracer. A group is one program with the hooks of several policies on the same function; see
 * bpf/group.bpf.h. A hook that does not fit into a group gets a program of its own.
 */
import { setTimeout } from 'node:timers/promises';
import type { EncodeContext } from '../wire/encode/context.js';
import { encodeGroupProgram, lookUpKind, toGroupRules, type GroupRuleSource } from '../wire/encode/group-hook.js';
import { GroupTables, type TableChange } from '../wire/encode/group-tables.js';
import type { EncodedHook } from '../wire/encode/hook.js';
import { GroupMove, HookConfig, ScratchGuard } from '../wire/layout.gen.js';
import { hasModifyingAction } from '../compiled/compiled-hook.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import type { NativeHookSpec, NativeSession } from '../native/binding.js';
import { messageWithReason, type NativeError } from '../native/native-error.js';
import { objectName, type NativeFeatures } from '../native/features.js';
import type { Preemption } from '../native/preemption.js';

/** The parts of a tracer that groups use. */
export interface GroupParts {
  readonly session: Pick<
    NativeSession,
    'addHook' | 'removeHooks' | 'putHookEntries' | 'deleteHookEntries' | 'waitForPrograms' | 'hookCounts' | 'setMove'
  >;
  readonly features: NativeFeatures;
  readonly preemption: Preemption;
  readonly optimize: boolean;
  /** The hooks of a group count together, so a hook of which hits are counted cannot move into one. */
  readonly countHits: boolean;
  /** Returns the id of a new group. `members` has the ids of its hooks. */
  readonly allocateId: (functionName: string, members: ReadonlySet<number>) => number;
  /** The group has ended. Its last records may not have been read yet. */
  readonly releaseId: (id: number) => void;
}

/** How a hook belongs to a group. */
export interface GroupMembership {
  readonly group: number;
  /** Calls that the group had counted when the hook was added. */
  readonly hitsBefore: number;
  /** Bytes of kernel memory that only this hook uses. */
  readonly memory: number;
}

interface Group {
  readonly id: number;
  readonly key: string;
  readonly tables: GroupTables;
  readonly members: Set<number>;
}

type GroupAttachment = Pick<NativeHookSpec, 'mechanism' | 'target' | 'entry' | 'return' | 'overrides'>;

/** Numbers of system calls for which alone the kernel runs the program of a hook; see lib/wire/encode/calls.ts. */
interface OwnCalls {
  readonly tracepoint: string;
  readonly numbers: readonly number[];
}

/** A hook that can be in a group. */
interface Candidate {
  readonly hook: number;
  readonly attachment: GroupAttachment;
  readonly rules: readonly GroupRuleSource[];
  readonly program: EncodedHook;
  readonly overrides: boolean;
  /** Equal for hooks that one program can serve. */
  readonly key: string;
}

/** The ways to attach a hook without a group. */
export interface SeparateProgram {
  /** Loads a program for the hook alone. Resolves with the indexes of skipped attach points. */
  readonly load: (how: { readonly canMove: boolean }) => Promise<readonly number[]>;
  /** The system calls that the hook selects, if it needs no others. */
  readonly calls: readonly number[] | undefined;
}

/**
 * Longest interruption of a call between two programs. A kernel with PREEMPT_DYNAMIC does not wait for such a call if the
 * timer has interrupted it.
 */
const INTERRUPTION_MS = 100;

/** The mechanisms that have a program for groups. */
const MECHANISMS: readonly string[] = ['fentry', 'kprobe', 'lsm', 'raw_tracepoint'];
/** With these, the kernel runs the newest program first. */
const NEWEST_FIRST: readonly string[] = ['fentry', 'kprobe', 'lsm'];
/** With these, no other program can end the call between the group and the hook's own program. */
const MOVING: readonly string[] = ['fentry', 'kprobe'];

export class HookGroups {
  readonly #parts: GroupParts;
  readonly #groups: Group[] = [];
  /**
   * The first hook of each kind has a program of its own. At a function, it moves into a group with the second one. At a
   * tracepoint, where its program would run before that of the group, it stays, and so does one on an LSM hook.
   */
  readonly #alone = new Map<number, Candidate>();
  /** The ends of moves. They never reject. */
  readonly #ends = new Map<number, Promise<void>>();
  /** Hooks in groups whose own programs are still attached. */
  readonly #doubled = new Set<number>();
  /** Hooks that will be removed when others have taken their place. */
  readonly #leaving = new Set<number>();
  /** Hooks that run for their own system calls only. */
  readonly #calls = new Map<number, OwnCalls>();
  /** The end of the last change of each kind of hook. */
  readonly #turns = new Map<string, Promise<void>>();
  readonly #memberships = new Map<number, GroupMembership>();
  readonly #reasons = new Map<number, string>();
  #moves = 0;
  #opened = 0;

  constructor(parts: GroupParts) {
    this.#parts = parts;
  }

  /** Number of groups that were ever opened. */
  get opened(): number {
    return this.#opened;
  }

  /** Undefined for a hook with a program of its own. */
  membership(hook: number): GroupMembership | undefined {
    return this.#memberships.get(hook);
  }

  /** Why the hook can be in no group; undefined for others. */
  reason(hook: number): string | undefined {
    return this.#reasons.get(hook);
  }

  /** Attaches hooks that replace others, so that one hook instead of another one needs no group. */
  async replace<T>(hooks: readonly number[], attach: () => Promise<T>): Promise<T> {
    for (const hook of hooks) this.#leaving.add(hook);
    try {
      return await attach();
    } finally {
      this.#leaving.clear();
    }
  }

  /** Adds the hook to a group, or loads a program for it alone. */
  async attach(
    hook: CompiledHook,
    attachment: GroupAttachment,
    context: EncodeContext,
    separate: SeparateProgram,
  ): Promise<readonly number[]> {
    const { id } = context;
    this.#reasons.delete(id);
    this.#parts.session.setMove(id, GroupMove.MOVE_NONE);
    const candidate = this.#toCandidate(hook, attachment, context);
    if (typeof candidate === 'string') return this.#loadAlone(id, candidate, attachment, separate);
    if (separate.calls !== undefined && this.#areFree(attachment.target, separate.calls))
      return this.#loadAlone(id, 'the kernel runs it only for the system calls that it selects', attachment, separate);
    return this.#inTurn(candidate.key, () => this.#attachCandidate(candidate, separate));
  }

  async #attachCandidate(candidate: Candidate, separate: SeparateProgram): Promise<readonly number[]> {
    const { hook, attachment } = candidate;
    if (this.#canBeAlone(candidate)) {
      const canMove = MOVING.includes(attachment.mechanism);
      const skipped = await separate.load({ canMove });
      this.#alone.set(hook, candidate);
      if (!canMove)
        this.#reasons.set(
          hook,
          `it is the first one at its ${attachment.mechanism === 'lsm' ? 'LSM hook' : 'tracepoint'}`,
        );
      return skipped;
    }
    const reason = await this.#group(candidate).catch(
      (error: unknown) => `the tables of a group cannot be changed: ${messageWithReason(error as NativeError)}`,
    );
    return reason === undefined ? [] : this.#loadAlone(hook, reason, attachment, separate);
  }

  async #loadAlone(
    hook: number,
    reason: string,
    { target }: GroupAttachment,
    { load, calls }: SeparateProgram,
  ): Promise<readonly number[]> {
    this.#reasons.set(hook, reason);
    if (calls !== undefined && this.#areFree(target, calls))
      this.#calls.set(hook, { tracepoint: target, numbers: calls });
    try {
      return await load({ canMove: false });
    } catch (error) {
      this.#calls.delete(hook);
      throw error;
    }
  }

  /** True if no hook at the tracepoint runs for one of the calls only. A second one would run for all calls. */
  #areFree(tracepoint: string, calls: readonly number[]): boolean {
    const taken = [...this.#calls.values()].filter((each) => each.tracepoint === tracepoint);
    return !taken.some(({ numbers }) => numbers.some((number) => calls.includes(number)));
  }

  /** Hooks of different kinds are loaded at the same time, and those of one kind one after the other. */
  async #inTurn<T>(key: string, attach: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key) ?? Promise.resolve();
    const result = before.then(attach);
    const end = result.then(ignore, ignore);
    this.#turns.set(key, end);
    await end;
    if (this.#turns.get(key) === end) this.#turns.delete(key);
    return result;
  }

  /** Returns the reason if the hook can be in no group. */
  #toCandidate(hook: CompiledHook, attachment: GroupAttachment, context: EncodeContext): Candidate | string {
    const { mechanism } = attachment;
    if (!MECHANISMS.includes(mechanism)) return `the mechanism ${mechanism} has no groups`;
    if (!this.#parts.features.directRead.available) return 'this kernel does not let programs read its memory directly';
    const { isPreemptible, model } = this.#parts.preemption;
    if (context.guard === ScratchGuard.GUARD_LEVELS || (mechanism === 'fentry' && isPreemptible)) {
      return `this kernel can suspend the program (preemption model ${model})`;
    }
    if (mechanism === 'kprobe' && hasModifyingAction(hook)) return 'a kprobe that overrides has no groups';
    const rules = toGroupRules(hook, context);
    if (typeof rules === 'string') return rules;
    const program = encodeGroupProgram(hook, context);
    return {
      hook: context.id,
      attachment,
      rules,
      program,
      overrides: hasModifyingAction(hook),
      key: groupKey(attachment, program.config, lookUpKind(rules)),
    };
  }

  /**
   * True for the first hook of its kind. It is cheaper than a group. A hook that overrides could not move into one: when
   * the group has overridden a call, the kernel does not run the hook's own program, which would remove the mark.
   */
  #canBeAlone({ key, overrides }: Candidate): boolean {
    if (overrides || this.#parts.countHits) return false;
    return !this.#groups.some((group) => group.key === key) && this.#findAlone(key) === undefined;
  }

  #findAlone(key: string): Candidate | undefined {
    return [...this.#alone.values()].find((each) => each.key === key && !this.#leaving.has(each.hook));
  }

  /** Resolves with the reason why the hook is in no group. */
  async #group(candidate: Candidate): Promise<string | undefined> {
    const { key } = candidate;
    for (const group of this.#groups.filter((each) => each.key === key)) {
      if (await this.#addTo(group, candidate)) return undefined;
    }
    const group = await this.#open(candidate);
    if (typeof group === 'string') return group;
    try {
      const first = this.#findAlone(key);
      if (first !== undefined && MOVING.includes(first.attachment.mechanism)) await this.#move(group, first);
      if (await this.#addTo(group, candidate)) return undefined;
    } finally {
      if (group.members.size === 0) await this.#close(group);
    }
    return 'it has more selectors or values than a group has room for';
  }

  /**
   * Moves a hook from its own program into the group, while calls run both. Each call is reported once; see
   * bpf/moved_calls.bpf.h.
   */
  async #move(group: Group, first: Candidate): Promise<void> {
    const { session } = this.#parts;
    const { hook } = first;
    session.setMove(hook, GroupMove.MOVE_FIRST + this.#moves++);
    await session.waitForPrograms();
    try {
      await this.#addTo(group, first, true);
    } finally {
      if (!group.members.has(hook)) session.setMove(hook, GroupMove.MOVE_NONE);
    }
    if (!group.members.has(hook)) return;
    this.#alone.delete(hook);
    this.#doubled.add(hook);
    // if it fails, marks go on telling the calls apart, and the next removal of the hook tries again to detach the program
    this.#ends.set(hook, this.#endMove(group, hook).then(ignore, ignore));
  }

  /** Detaches the own program of a hook that has moved. Others change the group meanwhile. */
  async #endMove(group: Group, hook: number): Promise<void> {
    const { session } = this.#parts;
    await setTimeout(INTERRUPTION_MS, undefined, { ref: false });
    await session.waitForPrograms();
    session.setMove(hook, GroupMove.MOVE_DONE);
    await this.#put(group, group.tables.endMove(hook));
    await session.removeHooks([hook]);
    this.#doubled.delete(hook);
    this.#ends.delete(hook);
  }

  /** Loads and attaches the program of a new group. Resolves with the reason if that fails. */
  async #open({ attachment, key, program: { config, code, maps } }: Candidate): Promise<Group | string> {
    const { session, features, optimize, allocateId, releaseId } = this.#parts;
    const members = new Set<number>();
    const id = allocateId(attachment.target, members);
    const own = config.slice();
    new DataView(own.buffer).setUint32(HookConfig.hook, id, true);
    const object = objectName(`group_${attachment.mechanism}`, features);
    try {
      await session.addHook({ id, object, ...attachment, changeable: true, optimize, config: own, code, maps });
    } catch (error) {
      releaseId(id);
      return `the program of a group cannot be attached: ${messageWithReason(error as NativeError)}`;
    }
    const group = {
      id,
      key,
      tables: new GroupTables(NEWEST_FIRST.includes(attachment.mechanism), config[HookConfig.frontSlot] ?? 0),
      members,
    };
    this.#groups.push(group);
    this.#opened++;
    return group;
  }

  /** Resolves with false if the group has no room. Rejects if the kernel has no memory for the entries. */
  async #addTo(group: Group, { hook, rules }: Candidate, moves = false): Promise<boolean> {
    const addition = group.tables.add(hook, rules, moves);
    if (addition === undefined) return false;
    group.members.add(hook);
    const hitsBefore = this.#parts.session.hookCounts(group.id).hits;
    this.#memberships.set(hook, { group: group.id, hitsBefore, memory: group.tables.memory(hook) });
    try {
      for (const changes of [addition.prepared, addition.found]) await this.#put(group, changes);
      // a call that has not found the value of the first selector, or of a filter that excludes, must not find the second
      // selector, or the rule, enabled
      const canMiss = rules.length > 1 || rules.some(({ further }) => further.length > 0);
      if (canMiss) await this.#parts.session.waitForPrograms();
      await this.#put(group, addition.enabled);
    } catch (error) {
      await this.#removeFrom(group, hook);
      throw error;
    }
    return true;
  }

  async #put({ id }: Group, changes: readonly TableChange[]): Promise<void> {
    for (const { map, bytes } of changes) {
      if (bytes.length > 0) await this.#parts.session.putHookEntries(id, map, bytes);
    }
  }

  /** Removes hooks from their groups. If it fails, another call continues from there. */
  async remove(hooks: readonly number[]): Promise<void> {
    for (const hook of hooks) {
      this.#reasons.delete(hook);
      this.#alone.delete(hook);
      this.#calls.delete(hook);
      await this.#ends.get(hook);
      this.#ends.delete(hook);
      if (this.#doubled.has(hook)) await this.#parts.session.removeHooks([hook]);
      this.#doubled.delete(hook);
      const group = this.#groups.find(({ members }) => members.has(hook));
      if (group === undefined) continue;
      if (group.members.size > 1) await this.#removeFrom(group, hook);
      else await this.#close(group);
    }
  }

  async #removeFrom(group: Group, hook: number): Promise<void> {
    const { session } = this.#parts;
    const removal = group.tables.beginRemoval(hook);
    if (removal === undefined) return;
    await this.#put(group, removal.disabled);
    for (const { map, bytes } of removal.deletedKeys) await session.deleteHookEntries(group.id, map, bytes);
    await session.waitForPrograms();
    group.members.delete(hook);
    this.#memberships.delete(hook);
    await this.#put(group, group.tables.endRemoval(hook));
  }

  /** Detaches the program of a group whose last hook goes. */
  async #close(group: Group): Promise<void> {
    await this.#parts.session.removeHooks([group.id]);
    for (const hook of group.members) this.#memberships.delete(hook);
    group.members.clear();
    this.#groups.splice(this.#groups.indexOf(group), 1);
    this.#parts.releaseId(group.id);
  }
}

function ignore(): void {}

function groupKey(
  { mechanism, target, entry, return: atReturn }: GroupAttachment,
  config: Uint8Array,
  lookUp: string,
): string {
  const common = config.slice();
  new DataView(common.buffer).setUint32(HookConfig.hook, 0, true);
  return [mechanism, target, entry, atReturn, lookUp, Buffer.from(common.buffer).toString('latin1')].join('\n');
}
