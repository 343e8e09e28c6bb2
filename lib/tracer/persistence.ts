/**
 * Manages the folder of a BPF file system that keeps a tracer's policies active after its process ends: the lock, the content,
 * and the takeover. Each tracer that opens the folder creates a numbered folder in it for its own pins. A takeover removes the
 * earlier ones.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  statfsSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { KernelError, PolytraceError } from '../errors.js';
import type { NativeBinding, NativeSession } from '../native/binding.js';
import type { PendingCall } from '../native/records.js';
import { kernelDetail, messageWithReason, type NativeError } from '../native/native-error.js';

const BPF_FS_MAGIC = 0xcafe4a11;
/** Where systemd mounts the BPF file system. Some nodes, such as those of minikube, have no such mount. */
const USUAL_MOUNT = '/sys/fs/bpf';

type Binding = Pick<NativeBinding, 'layoutHash' | 'lockFolder' | 'mountBpf' | 'pinnedLayout' | 'pinNames'>;

/** True if a hook of a dead tracer, whose pins are in this folder, stays attached. */
export type IsKept = (folder: string, hook: number) => boolean;

/** The pins of a dead tracer, whose programs have ended. */
export interface RemovedPins {
  /** Undefined if others of its programs are still attached. */
  readonly folder: string | undefined;
  readonly programs: number;
  /** The calls whose entry was recorded and whose return will not be seen. */
  readonly pending: readonly PendingCall[];
}

export class Persistence {
  readonly #binding: Binding;
  readonly #path: string;
  readonly #lock: number;
  /** The folders of earlier tracers, the oldest first. */
  readonly earlier: readonly string[];
  /** Those whose programs have not all ended. */
  #active: readonly string[];
  /** The calls of removed links in folders that still have others. */
  readonly #pending = new Map<string, PendingCall[]>();
  /** The folder for the pins of this tracer. */
  readonly folder: string;

  /** Throws a KernelError whose code begins with PERSIST_. */
  constructor(path: string, binding: Binding) {
    this.#binding = binding;
    this.#path = resolve(path);
    if (this.#path.startsWith(`${USUAL_MOUNT}/`)) mountBpf(USUAL_MOUNT, binding);
    checkFileSystem(this.#path);
    this.#lock = lockFolder(this.#path, binding, true);
    try {
      const before = listGenerations(this.#path, binding);
      const last = Math.max(0, ...before.map(Number));
      this.earlier = before.map((name) => join(this.#path, name));
      this.#active = this.earlier;
      this.folder = join(this.#path, String(last + 1));
      mkdirSync(this.folder, { mode: 0o700 });
    } catch (error) {
      closeSync(this.#lock);
      throw toPersistError(error, this.#path);
    }
  }

  /**
   * Ends the policies of earlier tracers, except for hooks that `isKept` returns true for. Must be called after the
   * policies of this tracer are attached. Resolves with what has ended; `folder` is undefined for a part of a folder.
   */
  async takeOver(removePins: NativeSession['removePins'], isKept: IsKept): Promise<RemovedPins[]> {
    const all: RemovedPins[] = [];
    for (const folder of this.#active) {
      const links = selectLinks(readdirSync(folder).sort(), this.#binding);
      const hooks = links.map((name) => [name, hookId(name)] as const);
      const kept = hooks.filter(([, id]) => id !== undefined && isKept(folder, id)).map(([name]) => name);
      if (kept.length > 0) {
        // hooks need the base sensor
        const ended = hooks.filter(([name, id]) => id !== undefined && !kept.includes(name)).map(([name]) => name);
        const calls = await removePins(folder, ended);
        this.#pending.set(folder, [...(this.#pending.get(folder) ?? []), ...calls]);
        all.push({ folder: undefined, programs: ended.length, pending: [] });
        continue;
      }
      const { links: ended, pending } = await removeGeneration(folder, this.#binding, removePins);
      this.#active = this.#active.filter((each) => each !== folder);
      all.push({ folder, programs: ended.length, pending: [...(this.#pending.get(folder) ?? []), ...pending] });
    }
    return all;
  }

  /** Must be called after the session is closed. Keeps the pins of this tracer and files of others. */
  end(): void {
    try {
      // somebody may have unmounted the file system
      for (const folder of [this.folder, this.#path]) {
        if (pathExists(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
      }
    } finally {
      closeSync(this.#lock);
    }
  }
}

/** Removes all pins that a dead tracer has left. Resolves with the removed paths. */
export async function removePersisted(
  path: string,
  binding: Binding,
  removePins: NativeSession['removePins'],
): Promise<string[]> {
  const folder = resolve(path);
  checkFileSystem(folder);
  const lock = lockFolder(folder, binding, false);
  try {
    const removed: string[] = [];
    for (const name of listGenerations(folder, binding)) {
      const generation = join(folder, name);
      const { removed: files } = await removeGeneration(generation, binding, removePins);
      removed.push(...files.map((file) => join(generation, file)), generation);
    }
    rmdirSync(folder);
    return [...removed, folder];
  } catch (error) {
    throw toPersistError(error, folder);
  } finally {
    closeSync(lock);
  }
}

/** Without the rights for it, nothing changes: the check of the file system reports that. */
function mountBpf(folder: string, binding: Binding): void {
  if (pathExists(folder) && statfsSync(folder).type !== BPF_FS_MAGIC) binding.mountBpf(folder);
}

function checkFileSystem(path: string): void {
  try {
    if (statfsSync(pathExists(path) ? path : dirname(path)).type === BPF_FS_MAGIC) return;
  } catch (error) {
    throw toPersistError(error, path);
  }
  throw new KernelError(
    'PERSIST_NOT_BPFFS',
    `${path} is not on a BPF file system`,
    'name a folder below /sys/fs/bpf; if it is not mounted, use `mount -t bpf bpf /sys/fs/bpf`',
  );
}

function pathExists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Locks the folder. Returns the descriptor that holds the lock. The lock also ends when the process ends. */
function lockFolder(path: string, binding: Binding, create: boolean): number {
  for (;;) {
    let fd: number;
    try {
      if (create && !pathExists(path)) mkdirSync(path, { mode: 0o700 });
      fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    } catch (error) {
      throw toPersistError(error, path);
    }
    if (!binding.lockFolder(fd)) {
      closeSync(fd);
      throw new KernelError(
        'PERSIST_BUSY',
        `a running tracer uses ${path} for its policies`,
        'close that tracer first, or name another folder',
      );
    }
    // the previous owner of the lock may have removed the folder
    if (statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) return fd;
    closeSync(fd);
  }
}

/** Returns the numbered folders with pins of polytrace. Throws PERSIST_FOREIGN if the folder has any other content. */
function listGenerations(path: string, binding: Binding): string[] {
  const names = readdirSync(path);
  for (const name of names) {
    const folder = join(path, name);
    const files = /^[1-9]\d*$/.test(name) && statSync(folder).isDirectory() ? readdirSync(folder) : [''];
    const isOurs = files.every((file) => isMapPin(file, binding) || isLinkPin(file, binding));
    // an empty folder belongs to a tracer that died directly after its start
    if (isOurs && (files.length === 0 || binding.pinnedLayout(folder) !== null)) continue;
    throw new KernelError(
      'PERSIST_FOREIGN',
      `${folder} does not belong to polytrace`,
      'name a folder that no other program uses',
    );
  }
  return names.sort((a, b) => Number(a) - Number(b));
}

function isMapPin(file: string, { pinNames }: Binding): boolean {
  return pinNames.maps.includes(file);
}

function isLinkPin(file: string, { pinNames }: Binding): boolean {
  return pinNames.links.some((start) => file.startsWith(start));
}

interface RemovedGeneration {
  readonly links: readonly string[];
  readonly removed: readonly string[];
  readonly pending: readonly PendingCall[];
}

async function removeGeneration(
  folder: string,
  binding: Binding,
  removePins: NativeSession['removePins'],
): Promise<RemovedGeneration> {
  const files = readdirSync(folder).sort();
  const pending = await removePins(folder, selectLinks(files, binding));
  return { ...removeMaps(folder, files, binding), pending };
}

/** Returns the id of the hook that has a pinned link; undefined for a link of the base sensor. */
function hookId(link: string): number | undefined {
  const [, id] = /^hook-(\d+)-\d+$/.exec(link) ?? [];
  return id === undefined ? undefined : Number(id);
}

function selectLinks(files: readonly string[], binding: Binding): string[] {
  return files.filter((file) => isLinkPin(file, binding));
}

/** Removes the pins of maps and the folder. The links must already be removed. */
function removeMaps(folder: string, files: readonly string[], binding: Binding): Omit<RemovedGeneration, 'pending'> {
  // the file `about` identifies the other pins, so it is removed last; it is the first one in the alphabet
  const maps = files.filter((file) => isMapPin(file, binding)).reverse();
  for (const file of maps) unlinkSync(join(folder, file));
  rmdirSync(folder);
  const links = selectLinks(files, binding);
  return { links, removed: [...links, ...maps] };
}

export function toPersistError(error: unknown, path: string): PolytraceError {
  if (error instanceof PolytraceError) return error;
  const native = error as NativeError & { readonly syscall?: string };
  const reason = native.syscall === undefined ? messageWithReason(native) : native.message;
  return new KernelError(
    'PERSIST',
    `cannot keep policies in ${path}: ${reason}`,
    'this needs a writable folder on a BPF file system, and a kernel that can pin links (Linux 5.15)',
    native.syscall === undefined ? kernelDetail(native) : { errno: native.code ?? '' },
  );
}
