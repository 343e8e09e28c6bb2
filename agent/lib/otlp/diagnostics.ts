/** Writes the warnings of OpenTelemetry's packages to the agent's log. */
import type { Log } from '../log/log.js';

export async function routeDiagnostics(log: Log): Promise<void> {
  const { diag, DiagLogLevel } = await import('@opentelemetry/api');
  const warn = (message: string): void => log.warn({ reason: message }, 'OpenTelemetry');
  const silent = (): void => undefined;
  const logger = { error: warn, warn, info: silent, debug: silent, verbose: silent };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}
