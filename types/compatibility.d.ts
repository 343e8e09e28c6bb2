/**
 * What these types need of newer libraries of TypeScript: `using` came with ESNext.Disposable, which programs need not name in
 * `lib`. The declarations are those of TypeScript, and merge with them.
 */
declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol;
    readonly asyncDispose: unique symbol;
  }
  interface Disposable {
    [Symbol.dispose](): void;
  }
  interface AsyncDisposable {
    [Symbol.asyncDispose](): PromiseLike<void>;
  }
}

/** An `AbortSignal`, of Node.js or of the DOM. */
export interface StopSignal {
  readonly aborted: boolean;
  /** What was passed to `abort`. */
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** A `URL`, of Node.js or of the DOM. */
export interface FileUrl {
  readonly href: string;
  readonly protocol: string;
}
