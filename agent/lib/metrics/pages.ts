/** The pages of the HTTP servers: /metrics and /healthz. */
import type { Pages } from './http.js';
import type { Metrics } from './metrics.js';

/** The state of the agent, for /healthz. */
export type Health = () => { readonly isHealthy: boolean; readonly details: object };

export function metricsPage(metrics: Pick<Metrics, 'contentType' | 'read'>): Pages {
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
