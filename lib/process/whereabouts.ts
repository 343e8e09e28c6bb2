/** The container of a process. Its name, and its pod, can become known later than its id. */
import type { Container, Pod } from '../../types/events.js';
import type { Named, Names } from '../containers/names.js';

export class Whereabouts {
  readonly #container: Container;
  readonly #names: Names | undefined;
  #named: Named | undefined;

  /** `named`: what is known by now. */
  constructor(container: Container, names: Names | undefined, named?: Named) {
    this.#container = container;
    this.#names = names;
    this.#named = named;
  }

  get container(): Container {
    return this.#name()?.container ?? this.#container;
  }

  get pod(): Pod | undefined {
    return this.#name()?.pod;
  }

  #name(): Named | undefined {
    return (this.#named ??= this.#names?.find(this.#container));
  }
}
