/** The event of `loader: true`. */
import type { FileArgument } from '../../types/events.js';
import type { CompiledValue } from '../compiled/compiled-policy.js';
import { imageOf, type ProcessView } from '../process/view.js';
import { decodeArgument } from '../wire/decode/arguments.js';
import { EventHeader } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';
import { buildIdOfMapped } from './build-ids.js';
import type { LoadedHook } from './hook.js';
import { RecordEvent, slabOf, startOf } from './record.js';

export let hookOfLoader: (event: LoaderEvent) => LoadedHook;

export class LoaderEvent extends RecordEvent {
  readonly #hook: LoadedHook;
  #buildId: string | undefined | null = null;

  constructor(slab: Slab, start: number, process: ProcessView, hook: LoadedHook) {
    super(slab, start, process);
    this.#hook = hook;
  }

  static {
    hookOfLoader = (event) => event.#hook;
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
    if (this.#buildId === null) this.#buildId = buildIdOfMapped(imageOf(this.process).pid, this.#file);
    return this.#buildId;
  }

  get #file(): FileArgument {
    const [slab, start] = [slabOf(this), startOf(this)];
    const size = slab.u32(start + EventHeader.size);
    return decodeArgument(slab, start, size, 0, this.#hook.image.args[0] as CompiledValue) as FileArgument;
  }
}
