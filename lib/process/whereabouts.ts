/** The container of a process. Its name, and its pod, can become known later than its id. */
import type { Container, Pod } from '../../types/events.js';
import { podOf, type Command, type Named, type Names } from '../containers/names.js';

export class Whereabouts {
  readonly #container: Container;
  readonly #names: Names | undefined;
  #named: Named | undefined;
  #pod: Pod | undefined;

  /** `named`: what is known by now. */
  constructor(container: Container, names: Names | undefined, named?: Named) {
    this.#container = container;
    this.#names = names;
    this.#named = named;
  }

  get container(): Container {
    return this.#name()?.container ?? this.#container;
  }

  /** What is named stays, and so does the command. */
  podOf(command: Command): Pod | undefined {
    return (this.#pod ??= podOf(this.#name(), command));
  }

  #name(): Named | undefined {
    return (this.#named ??= this.#names?.find(this.#container));
  }
}
