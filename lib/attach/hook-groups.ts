/**
 * The groups of a tracer. A group is one program with the hooks of several policies on the same function; see
 * bpf/group.bpf.h. A hook that does not fit into a group gets a program of its own.
 */
import type { EncodeContext } from '../wire/encode/context.js';
import { encodeGroupProgram, toGroupRules } from '../wire/encode/group-hook.js';
import { GroupTables, type TableChange } from '../wire/encode/group-tables.js';
import { HookConfig, ScratchGuard } from '../wire/layout.gen.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import type { NativeHookSpec, NativeSession } from '../native/binding.js';
import { messageWithReason, type NativeError } from '../native/native-error.js';
import { objectName, type NativeFeatures } from '../native/features.js';

/** The parts of a tracer that groups use. */
export interface GroupParts {
  readonly session: Pick<
    NativeSession,
    'addHook' | 'removeHooks' | 'putHookEntries' | 'deleteHookEntries' | 'waitForPrograms' | 'hookCounts'
  >;
  readonly features: NativeFeatures;
  readonly optimize: boolean;
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

/** The mechanisms that have a program for groups. */
const MECHANISMS: ReadonlySet<string> = new Set(['fentry', 'raw_tracepoint']);

type GroupAttachment = Pick<NativeHookSpec, 'mechanism' | 'target' | 'entry' | 'return'>;

export class HookGroups {
  readonly #parts: GroupParts;
  readonly #groups: Group[] = [];
  readonly #memberships = new Map<number, GroupMembership>();
  readonly #reasons = new Map<number, string>();

  constructor(parts: GroupParts) {
    this.#parts = parts;
  }

  /** Undefined for a hook with a program of its own. */
  membership(hook: number): GroupMembership | undefined {
    return this.#memberships.get(hook);
  }

  /** Why the hook has a program of its own; undefined for a hook in a group. */
  reason(hook: number): string | undefined {
    return this.#reasons.get(hook);
  }

  /** Adds the hook to a group. Resolves with false if it needs a program of its own. */
  async add(hook: CompiledHook, attachment: GroupAttachment, context: EncodeContext): Promise<boolean> {
    const reason = await this.#tryAdd(hook, attachment, context).catch(
      (error: unknown) => `the tables of a group cannot be changed: ${messageWithReason(error as NativeError)}`,
    );
    if (reason === undefined) this.#reasons.delete(context.id);
    else this.#reasons.set(context.id, reason);
    return reason === undefined;
  }

  /** Resolves with the reason why the hook is in no group. */
  async #tryAdd(hook: CompiledHook, attachment: GroupAttachment, context: EncodeContext): Promise<string | undefined> {
    const { mechanism } = attachment;
    if (!MECHANISMS.has(mechanism)) return `the mechanism ${mechanism} has no groups`;
    if (!this.#parts.features.directRead.available) return 'this kernel does not let programs read its memory directly';
    if (context.guard === ScratchGuard.GUARD_LEVELS) return 'this kernel can suspend the program';
    const rules = toGroupRules(hook, context);
    if (typeof rules === 'string') return rules;
    const encoded = encodeGroupProgram(hook, context);
    const key = groupKey(attachment, encoded.config);
    const known = this.#groups.filter((group) => group.key === key);
    for (const group of known) {
      if (await this.#addTo(group, context.id, rules)) return undefined;
    }
    const group = await this.#open(attachment, key, encoded);
    if (typeof group === 'string') return group;
    try {
      if (await this.#addTo(group, context.id, rules)) return undefined;
    } finally {
      if (group.members.size === 0) await this.#close(group);
    }
    return 'it has more selectors or values than a group has room for';
  }

  /** Loads and attaches the program of a new group. Resolves with the reason if that fails. */
  async #open(
    attachment: GroupAttachment,
    key: string,
    { config, code, maps }: ReturnType<typeof encodeGroupProgram>,
  ): Promise<Group | string> {
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
    const group = { id, key, tables: new GroupTables(attachment.mechanism === 'fentry'), members };
    this.#groups.push(group);
    return group;
  }

  /** Resolves with false if the group has no room. Rejects if the kernel has no memory for the entries. */
  async #addTo(group: Group, hook: number, rules: Parameters<GroupTables['add']>[1]): Promise<boolean> {
    const addition = group.tables.add(hook, rules);
    if (addition === undefined) return false;
    group.members.add(hook);
    const hitsBefore = this.#parts.session.hookCounts(group.id).hits;
    this.#memberships.set(hook, { group: group.id, hitsBefore, memory: group.tables.memory(hook) });
    try {
      for (const changes of [addition.prepared, addition.found, addition.enabled]) await this.#put(group, changes);
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

/** Equal for hooks that one program can serve. */
function groupKey({ mechanism, target, entry, return: atReturn }: GroupAttachment, config: Uint8Array): string {
  const common = config.slice();
  new DataView(common.buffer).setUint32(HookConfig.hook, 0, true);
  return [mechanism, target, entry, atReturn, Buffer.from(common.buffer).toString('latin1')].join('\n');
}
