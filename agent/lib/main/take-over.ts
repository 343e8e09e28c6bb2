/** Ends the policies of an earlier agent when those of this one are loaded. */
import type { Tracer } from 'polytrace';
import type { Kubernetes } from '../kubernetes/kubernetes.js';
import type { Log } from '../log/log.js';
import type { Journal } from '../policies/journal.js';
import type { PolicyFiles } from '../policies/policy-files.js';
import type { PolicyStore } from '../policies/store.js';

interface TakeOverParts {
  readonly files: Pick<PolicyFiles, 'unknownPaths' | 'whenKnown'>;
  readonly tracer: Pick<Tracer, 'takeOver'>;
  readonly kubernetes: Pick<Kubernetes, 'isLoaded' | 'whenLoaded'> | undefined;
  readonly store: Pick<PolicyStore, 'isLoaded' | 'isMissing' | 'onSettled'>;
  readonly journal: Pick<Journal, 'recordPolicy'>;
  readonly log: Log;
}

/**
 * While the API server does not answer, or a path of policies cannot be read, all policies of the earlier agent stay active:
 * one of them may be the version of a policy that is not known now. Later, only those stay whose new version cannot be loaded.
 */
export async function takeOver(parts: TakeOverParts): Promise<void> {
  const { files, kubernetes, log } = parts;
  const paths = files.unknownPaths;
  if (paths.length === 0 && (kubernetes === undefined || kubernetes.isLoaded)) return endEarlier(parts);
  if (paths.length > 0) log.warn({ paths }, 'policies of an earlier agent stay active until these paths can be read');
  void Promise.all([files.whenKnown(), kubernetes?.whenLoaded]).then(() => endInBackground(parts));
}

async function endEarlier(parts: TakeOverParts): Promise<void> {
  const { tracer, store, log, journal } = parts;
  const earlier = new Set<string>();
  const keep = (name: string | undefined): boolean => {
    if (name !== undefined) earlier.add(name);
    return store.isMissing(name);
  };
  const kept = await tracer.takeOver({ keep });
  for (const policy of earlier) {
    if (kept.includes(policy) || store.isLoaded(policy)) continue;
    journal.recordPolicy('a policy of an earlier agent has ended', {
      operation: 'policy_remove',
      policy,
      way: 'agent',
    });
  }
  if (kept.length === 0) return;
  const message = 'policies of an earlier agent stay active until their new versions can be loaded, or are removed';
  log.warn({ policies: kept }, message);
  followSources(parts, kept);
}

/** Asks again when a kept policy is loaded, or when no source wants it any more. */
function followSources(parts: TakeOverParts, policies: readonly string[]): void {
  const { store } = parts;
  const check = (): void => {
    if (policies.every((name) => store.isMissing(name === '' ? undefined : name))) return;
    store.onSettled(() => undefined);
    void endInBackground(parts);
  };
  store.onSettled(check);
  check();
}

async function endInBackground(parts: TakeOverParts): Promise<void> {
  try {
    await endEarlier(parts);
  } catch (error) {
    parts.log.warn({ reason: String(error) }, 'the policies of an earlier agent go on');
  }
}
