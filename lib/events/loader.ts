/** The event of a mapped file: `loader: true` in a policy. */
import type { FileArgument } from '../../types/events.js';
import type { CompiledValue } from '../compiled/compiled-policy.js';
import { getTrackedProcess, type ProcessView } from '../process/view.js';
import { decodeArgument } from '../wire/decode/arguments.js';
import { EventHeader } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';
import type { LoadedHook } from './hook.js';
import { RecordEvent, recordChunk, recordStart } from './record.js';

export let getLoaderHook: (event: LoaderEvent) => LoadedHook;

export class LoaderEvent extends RecordEvent {
  readonly #hook: LoadedHook;
  #buildId: string | undefined;

  constructor(chunk: RecordChunk, start: number, process: ProcessView, hook: LoadedHook) {
    super(chunk, start, process);
    this.#hook = hook;
    hook.lateMembers?.addFile({
      pid: getTrackedProcess(this.process).pid,
      file: this.#file,
      setBuildId: (id) => (this.#buildId = id),
    });
  }

  static {
    getLoaderHook = (event) => event.#hook;
  }

  get type(): 'process_loader' {
    return 'process_loader';
  }

  get policyName(): string {
    return this.#hook.policyName;
  }

  get path(): string {
    return this.#file.path;
  }

  get inode(): bigint {
    return this.#file.inode;
  }

  get device(): FileArgument['device'] {
    return this.#file.device;
  }

  get buildId(): string | undefined {
    return this.#buildId;
  }

  get #file(): FileArgument {
    const [chunk, start] = [recordChunk(this), recordStart(this)];
    const size = chunk.u32(start + EventHeader.size);
    return decodeArgument(chunk, start, size, 0, this.#hook.compiled.args[0] as CompiledValue) as FileArgument;
  }
}
