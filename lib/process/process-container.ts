/** The container of a process. Its name and its pod can become known later than its id. */
import type { Container, Pod } from '../../types/events.js';
import { selectPod, type Command, type NamedContainer, type ContainerNames } from '../containers/container-names.js';

export class ProcessContainer {
  readonly #container: Container;
  readonly #names: ContainerNames | undefined;
  #named: NamedContainer | undefined;
  #pod: Pod | undefined;

  /** `named` is what is known about the container now. */
  constructor(container: Container, names: ContainerNames | undefined, named?: NamedContainer) {
    this.#container = container;
    this.#names = names;
    this.#named = named;
  }

  get container(): Container {
    return this.#resolveNames()?.container ?? this.#container;
  }

  /** The result is cached, because names and command do not change. */
  resolvePod(command: Command): Pod | undefined {
    return (this.#pod ??= selectPod(this.#resolveNames(), command));
  }

  #resolveNames(): NamedContainer | undefined {
    return (this.#named ??= this.#names?.find(this.#container));
  }
}
