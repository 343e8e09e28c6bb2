/** A tracer that records what the store does with it, and policies for it. */
import type { PolicyStatus } from 'polytrace';
import type { Log } from '../../../lib/log/log.js';
import type { PolicyTracer } from '../../../lib/policies/reconciler.js';

export const policyText = (name: string, path = '/x'): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: ${name}
spec:
  kprobes:
    - call: sys_openat
      syscall: true
      args:
        - index: 1
          type: string
      selectors:
        - matchArgs:
            - index: 1
              operator: Equal
              values: ["${path}"]
`;

/** Loads nothing. `calls` has the changes, in order. */
export class FakeTracer {
  readonly calls: string[] = [];
  readonly loaded = new Map<string, string>();
  /** Names of policies that the kernel refuses now. */
  readonly refused = new Set<string>();
  /** Runs before each change. */
  beforeChange: () => Promise<void> = () => Promise.resolve();

  get tracer(): PolicyTracer {
    return this as unknown as PolicyTracer;
  }

  async addPolicy({ name }: { readonly name: string }): Promise<void> {
    await this.#change('add', name);
    if (this.loaded.has(name)) throw new Error(`${name} is loaded twice`);
    this.loaded.set(name, 'enabled');
  }

  async replacePolicy({ name }: { readonly name: string }): Promise<void> {
    await this.#change('replace', name);
    if (!this.loaded.has(name)) throw new Error(`${name} is not loaded`);
    this.loaded.set(name, 'enabled');
  }

  async removePolicy(name: string): Promise<void> {
    await this.#change('remove', name);
    if (!this.loaded.delete(name)) throw new Error(`${name} is not loaded`);
  }

  async disablePolicy(name: string): Promise<void> {
    await this.#change('disable', name);
    this.loaded.set(name, 'disabled');
  }

  async enablePolicy(name: string): Promise<void> {
    await this.#change('enable', name);
    this.loaded.set(name, 'enabled');
  }

  async setPolicyMode(name: string, mode: string): Promise<void> {
    await this.#change(`mode ${mode}`, name);
  }

  policies(): PolicyStatus[] {
    return [...this.loaded].map(([name, state]) => ({ name, state, mode: 'enforce' }) as PolicyStatus);
  }

  async #change(what: string, name: string): Promise<void> {
    await this.beforeChange();
    this.calls.push(`${what} ${name}`);
    if (this.refused.has(name)) throw new Error('no such function');
  }
}

/** A log whose lines a test can read. */
export class FakeLog {
  readonly lines: string[] = [];

  get log(): Log {
    const write = (...args: unknown[]): void => {
      this.lines.push(args.map((each) => JSON.stringify(each)).join(' '));
    };
    return { info: write, warn: write, error: write, debug: write } as unknown as Log;
  }

  count(text: string): number {
    return this.lines.filter((line) => line.includes(text)).length;
  }
}
