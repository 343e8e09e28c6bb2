/** The pages of the HTTP servers: /metrics and /healthz. */
import type { Answer, Pages } from './http.js';

/** The state of the agent, for /healthz. */
export type Health = () => { readonly isHealthy: boolean; readonly details: object };

interface MetricsSource {
  readonly contentType: string;
  read(): Promise<Answer['text']>;
}

export function metricsPage(metrics: MetricsSource): Pages {
  return {
    '/metrics': async () => ({ status: 200, contentType: metrics.contentType, text: await metrics.read() }),
  };
}

export function healthPage(health: Health): Pages {
  return {
    '/healthz': () => {
      const { isHealthy, details } = health();
      const text = `${JSON.stringify(details)}\n`;
      return { status: isHealthy ? 200 : 503, contentType: 'application/json', text };
    },
  };
}
