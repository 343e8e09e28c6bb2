/** What the command uses of the package polytrace-agent. A test compares it with the package. */

export interface AgentPackage {
  runAgent(args: readonly string[], host: AgentHost): Promise<number>;
}

interface AgentHost {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly signals: NodeJS.EventEmitter;
}
