/** Reads a kernel's BTF for the checks of policies, with libbpf in the addon. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { release } from 'node:os';
import { inspect } from 'node:util';
import { KernelError, PolytraceError } from '../errors.js';
import type {
  FunctionInfo,
  KernelInfo,
  MemberInfo,
  ParameterInfo,
  PreemptionModel,
  TracepointField,
  TracepointInfo,
  TypeInfo,
} from '../../types/kernel.js';
import { AttachableFunctions, type FunctionNames } from './attachable.js';
import { loadBinding } from './binding.js';
import { toLimitError } from './limits.js';
import { kernelDetail, messageWithReason, type NativeError } from './native-error.js';
import { preemption } from './preemption.js';

interface NativeParameter {
  readonly name: string;
  readonly type: number;
}

interface NativeMember extends NativeParameter {
  readonly bitOffset: number;
  readonly bitfieldSize: number;
}

interface NativeType {
  readonly id: number;
  readonly kind: TypeInfo['kind'];
  readonly name: string;
  readonly alias: string;
  readonly size: number;
  readonly signed: boolean;
  readonly target: number;
}

/** The addon's interface to BTF; see native/binding/btf.h. */
interface NativeBtf {
  function(name: string): { readonly params: readonly NativeParameter[]; readonly returns: number } | null;
  find(name: string, kind: 'struct' | 'union' | 'typedef'): number;
  type(id: number): NativeType;
  params(id: number): readonly NativeParameter[];
  members(id: number): readonly NativeMember[];
  names(kind: 'func' | 'struct' | 'typedef'): readonly string[];
  /** Releases the memory. A later call reads the BTF again. */
  close(): void;
}

/** The file of tracefs with the functions that can be probed. */
const ATTACHABLE = 'available_filter_functions';
const TRACEFS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'] as const;

/** The BTF of the running kernel, about 6 MB, is read once and shared. Without users, it is garbage collected. */
let runningBtf: WeakRef<NativeBtf> | undefined;
let retained: NativeBtf | undefined;
let retainCount = 0;

/** The functions of the running kernel that can be probed. They stay in memory as long as the kernel BTF. */
let attachable: AttachableFunctions | undefined;

/** Throws PolytraceError BAD_OPTION for an option `btf` that is no path. */
export function checkBtfOption(file: unknown): void {
  if (file === undefined || (typeof file === 'string' && file !== '')) return;
  throw new PolytraceError('BAD_OPTION', `option btf is ${inspect(file)}`, 'use the path of a file');
}

let kernelFile = '';

/** Must be called when the file with the types of the running kernel is chosen; an empty string is its own BTF. */
export function forgetOtherKernelBtf(file: string): void {
  if (file !== kernelFile) runningBtf = undefined;
  kernelFile = file;
}

/** Keeps the running kernel's BTF in memory after it is read, until the returned function is called. */
export function retainKernelBtf(): () => void {
  retainCount++;
  let isRetained = true;
  return () => {
    if (!isRetained) return;
    isRetained = false;
    if (--retainCount > 0) return;
    retained?.close();
    retained = undefined;
    attachable = undefined;
  };
}

function openBtf(path: string, module?: string): NativeBtf {
  const { Btf } = loadBinding() as unknown as { readonly Btf: new (path: string, module?: string) => NativeBtf };
  return new Btf(path, module);
}

function loadRunningBtf(): NativeBtf {
  const types = runningBtf?.deref() ?? openBtf('');
  runningBtf = new WeakRef(types);
  if (retainCount > 0) retained = types;
  return types;
}

function attachableFunctions(tracefs: string): AttachableFunctions {
  const list = attachable ?? new AttachableFunctions(join(tracefs, ATTACHABLE));
  if (retainCount > 0) attachable = list;
  return list;
}

/** Reads a BTF file, by default the running kernel's. Throws KernelError BTF_UNREADABLE, ADDON_MISSING, ADDON_MISMATCH or LIMIT_…. */
export function loadKernelInfo(path?: string): KernelInfo {
  let btf: NativeBtf;
  try {
    btf = path === undefined ? loadRunningBtf() : openBtf(path);
  } catch (error) {
    throw toBtfError(
      error,
      path === undefined
        ? 'the kernel needs CONFIG_DEBUG_INFO_BTF; --kernel none checks without it'
        : 'name a BTF file, such as /sys/kernel/btf/vmlinux, or an ELF file with a .BTF section',
    );
  }
  const tracefs = path === undefined ? TRACEFS.find((folder) => existsSync(join(folder, 'events'))) : undefined;
  const openModule = (module: string): NativeBtf | undefined => {
    try {
      return path === undefined ? openBtf('', module) : undefined;
    } catch (error) {
      const limit = toLimitError(error);
      if (limit !== undefined) throw limit;
      return undefined;
    }
  };
  return new BtfKernel(btf, path ?? `Linux ${release()}`, tracefs, openModule);
}

/** Converts an error of the addon to a KernelError BTF_UNREADABLE or LIMIT_…, or returns it unchanged. */
function toBtfError(error: unknown, hint: string): unknown {
  const native = error as NativeError;
  if (native.code !== 'BTF_UNREADABLE') return toLimitError(error) ?? error;
  return toLimitError(error) ?? new KernelError(native.code, messageWithReason(native), hint, kernelDetail(native));
}

/** The same for the choice of a file with the types of the running kernel, which can also be a PolytraceError BAD_OPTION. */
export function toChoiceError(error: unknown): unknown {
  if ((error as NativeError).code === 'BAD_OPTION') {
    const hint = 'give all tracers of a process the same `btf`, or close the other one first';
    return new PolytraceError('BAD_OPTION', `option btf: ${(error as Error).message}`, hint);
  }
  return toBtfError(error, 'name a file with the BTF of exactly this kernel: `uname -r` prints its release');
}

/** Reads the list of the functions that can be probed, and yields to the event loop between steps. Later calls use the list. */
export async function readAttachable(kernel: KernelInfo): Promise<void> {
  if (kernel instanceof BtfKernel) await kernel.readAttachable();
}

class BtfKernel implements KernelInfo {
  #functions: readonly string[] | undefined;
  #attachable: FunctionNames | undefined;
  #overridable: FunctionNames | undefined;

  readonly #modules = new Map<string, BtfKernel | undefined>();

  /** `tracefs` is the folder of this kernel's tracefs; undefined for a kernel that is not running. */
  constructor(
    private readonly btf: NativeBtf,
    readonly name: string,
    private readonly tracefs: string | undefined,
    private readonly openModule: (module: string) => NativeBtf | undefined = () => undefined,
  ) {}

  get preemption(): PreemptionModel | undefined {
    return this.tracefs === undefined ? undefined : preemption.detect(loadBinding()).model;
  }

  function(name: string): FunctionInfo | undefined {
    const found = this.btf.function(name);
    if (found === null) return undefined;
    return { params: found.params.map((param) => this.#parameter(param)), returns: this.#type(found.returns) };
  }

  functionNames(): readonly string[] {
    return (this.#functions ??= this.btf.names('func'));
  }

  attachable(name: string): boolean | undefined {
    return this.#attachableSet()?.has(name);
  }

  attachableNames(): readonly string[] | undefined {
    const names = this.#attachableSet();
    return names === null ? undefined : [...names];
  }

  #attachableSet(): FunctionNames {
    if (this.#attachable === undefined)
      this.#attachable = this.tracefs === undefined ? null : attachableFunctions(this.tracefs).readNamesSync();
    return this.#attachable;
  }

  async readAttachable(): Promise<void> {
    if (this.#attachable !== undefined || this.tracefs === undefined) return;
    this.#attachable = await attachableFunctions(this.tracefs).readNames();
  }

  /** True for security_ functions and for the functions in the kernel's list; undefined if the list is not known. */
  overridable(name: string): boolean | undefined {
    if (name.startsWith('security_')) return true;
    if (this.tracefs === undefined) return undefined;
    if (this.#overridable === undefined) {
      const text = readIfReadable('/sys/kernel/debug/error_injection/list') ?? '';
      this.#overridable = text === '' ? null : new Set(text.split('\n').map((line) => line.replace(/\t.*/, '')));
    }
    return this.#overridable?.has(name);
  }

  struct(name: string, module?: string): TypeInfo | undefined {
    if (module !== undefined) return this.#module(module)?.struct(name);
    const id = this.btf.find(name, 'struct') || this.btf.find(name, 'union');
    return id === 0 ? undefined : this.#type(id);
  }

  structNames(): readonly string[] {
    return this.btf.names('struct');
  }

  /** Returns the prototype of a tracepoint: `btf_trace_EVENT` of the kernel without its first parameter, which is internal. */
  rawTracepoint(event: string): FunctionInfo | undefined {
    const id = this.btf.find(`btf_trace_${event}`, 'typedef');
    if (id === 0) return undefined;
    const proto = this.btf.type(this.btf.type(id).target).id;
    return { params: this.btf.params(proto).slice(1).map((param) => this.#parameter(param)), returns: this.#type(0) };
  }

  rawTracepointNames(): readonly string[] {
    return this.btf
      .names('typedef')
      .flatMap((name) => (name.startsWith('btf_trace_') ? [name.slice('btf_trace_'.length)] : []));
  }

  tracepoint(subsystem: string, event: string): TracepointInfo | null | undefined {
    if (this.tracefs === undefined || !/^\w+$/.test(subsystem) || !/^\w+$/.test(event)) return undefined;
    const folder = join(this.tracefs, 'events', subsystem, event);
    if (!existsSync(folder)) return existsSync(join(this.tracefs, 'events')) ? null : undefined;
    const format = readIfReadable(join(folder, 'format'));
    if (format === undefined) return undefined;
    return { fields: parseFormat(format) };
  }

  tracepointNames(subsystem?: string): readonly string[] {
    if (this.tracefs === undefined) return [];
    try {
      const folder = subsystem === undefined ? 'events' : join('events', subsystem);
      return readdirSync(join(this.tracefs, folder), { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? [entry.name] : [],
      );
    } catch {
      return [];
    }
  }

  /** Returns the types of a module and of the kernel; undefined if the module or its BTF does not exist. */
  #module(module: string): BtfKernel | undefined {
    if (!this.#modules.has(module)) {
      const btf = this.openModule(module);
      this.#modules.set(module, btf && new BtfKernel(btf, this.name, this.tracefs));
    }
    return this.#modules.get(module);
  }

  #parameter({ name, type }: NativeParameter): ParameterInfo {
    return { name, type: this.#type(type) };
  }

  #type(id: number): TypeInfo {
    const { kind, name, alias, size, signed, target, id: own } = this.btf.type(id);
    return {
      kind,
      name,
      alias,
      size,
      signed,
      target: () => (kind === 'pointer' || kind === 'array' ? this.#type(target) : undefined),
      members: () => this.#members(own),
    };
  }

  #members(id: number): MemberInfo[] {
    const result: MemberInfo[] = [];
    this.#addMembers(id, 0, result);
    return result;
  }

  /** Adds the members of a struct that begins at the bit `start`. The members of an unnamed member replace it. */
  #addMembers(id: number, start: number, result: MemberInfo[]): void {
    for (const { name, type, bitOffset, bitfieldSize } of this.btf.members(id)) {
      const at = start + bitOffset;
      if (name === '') this.#addMembers(this.btf.type(type).id, at, result);
      else result.push({ name, type: this.#type(type), bitOffset: at, bitfieldSize });
    }
  }
}

/**
 * Parses the format of a tracepoint. Its lines look like `field:__data_loc char[]
 * filename;\toffset:8;\tsize:4;\tsigned:0;`.
 */
export function parseFormat(format: string): TracepointField[] {
  const lines = /^\tfield:(.*?)(\w+)(\[[^\]]*\])?;\s*offset:(\d+);\s*size:(\d+);(?:\s*signed:(\d+);)?/gm;
  return [...format.matchAll(lines)].map(([, type = '', name = '', array = '', offset, size, signed]) => ({
    name,
    type: type.trim() + array,
    offset: Number(offset),
    size: Number(size),
    ...(signed === '1' ? { signed: true } : {}),
  }));
}

function readIfReadable(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
