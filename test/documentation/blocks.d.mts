/** Types of blocks.mjs. */

export interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
  readonly marks: Readonly<Record<string, string>>;
}

export const PAGES: readonly string[];
export const NOT_RUN_MAX: number;

export function readBlocks(page: string, markdown: string): Block[];

/** Splits a transcript into its commands and the lines that they show. */
export function readTranscript(
  text: string,
): { readonly terminal: string; readonly command: string | undefined; readonly shown: readonly string[] }[];

/** Splits a script into its statements. */
export function splitStatements(text: string, isComplete: (script: string) => boolean): string[];

export function matchLines(
  expected: readonly string[],
  actual: readonly string[],
  from?: number,
): { readonly next: number; readonly missing: string | undefined };
