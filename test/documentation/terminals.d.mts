/** Types of terminals.mjs. */

export class Terminals {
  constructor(cwd: string, env: NodeJS.ProcessEnv);
  runFirst(
    command: string,
    ms: number,
  ): Promise<{
    readonly hasEnded: boolean;
    readonly status: number | string;
    readonly lines: { readonly all: string[] };
  }>;
  runSecond(command: string, ms: number): Promise<{ readonly status: number; readonly lines: string[] }>;
  close(): Promise<void>;
}
