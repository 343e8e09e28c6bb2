import type { Diagnostic } from './errors.js';

/** A parsed, valid policy. */
export interface Policy {
  readonly name: string;
  readonly namespace?: string;
  readonly file: string;
}

export interface ParseOptions {
  /** Name in diagnostics. Default `<policy>`. */
  readonly file?: string;
}

/** Throws PolicyError with every mistake. */
export function parsePolicy(yaml: string, options?: ParseOptions): Policy;

/** Every mistake and warning; none when the policy is good. Never throws for bad input. */
export function validatePolicy(yaml: string, options?: ParseOptions): Diagnostic[];

/** The policy as it will be evaluated in the kernel. */
export function compilePolicy(policy: Policy | string, options?: ParseOptions): PolicyImage;

export interface PolicyImage {
  readonly name: string;
}
