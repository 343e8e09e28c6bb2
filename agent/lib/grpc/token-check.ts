/** Refuses the calls of clients that show no token, before anything of the call is read. */
import { ServerInterceptingCall, status as Code, type ServerInterceptor } from '@grpc/grpc-js';
import { LogInterval } from '../log/log-interval.js';
import type { Log } from '../log/log.js';
import type { TokenFile } from './token-file.js';

/** Probes of a kubelet have no token, and their answer is no secret. */
const OPEN_SERVICE = '/grpc.health.v1.Health/';

export function tokenInterceptor(tokens: Pick<TokenFile, 'matches'>, log: Pick<Log, 'warn'>): ServerInterceptor {
  const report = refusalLog(log);
  return (method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, proceed) => {
            if (method.path.startsWith(OPEN_SERVICE)) return proceed(metadata);
            const [header = ''] = metadata.get('authorization');
            const [, token] = /^Bearer ([!-~]+)$/i.exec(header.toString()) ?? [];
            if (token !== undefined && tokens.matches(token)) return proceed(metadata);
            report(call.getPeer());
            const details =
              token === undefined
                ? 'this address needs a token: --token-file FILE, `token` of connect, or `authorization: Bearer TOKEN`'
                : 'the token is not valid: the agent has others in the file of --server-token-file';
            call.sendStatus({ code: Code.UNAUTHENTICATED, details });
          },
        });
      },
    });
}

/** Logs the first refusal at once, and the next ones together, once a minute. */
function refusalLog(log: Pick<Log, 'warn'>): (peer: string) => void {
  const interval = new LogInterval();
  let calls = 0;
  return (peer) => {
    calls += 1;
    if (!interval.isDue()) return;
    log.warn({ peer, calls }, 'calls without a valid token were refused');
    calls = 0;
  };
}
