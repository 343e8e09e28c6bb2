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

type IsKept = (policyName: string | undefined) => boolean;

/**
 * A policy of the earlier agent stays active while its new version cannot be loaded, and while a source is not known that may
 * have one: a path that cannot be read, or an API server that does not answer.
 */
export async function takeOver(parts: TakeOverParts): Promise<void> {
  const { files, kubernetes, store, log } = parts;
  const isKept: IsKept = (name) => {
    if (name !== undefined && store.isLoaded(name)) return false;
    return files.unknownPaths.length > 0 || kubernetes?.isLoaded === false || store.isMissing(name);
  };
  let kept = await endEarlier(parts, isKept);
  if (kept.length === 0) return;
  let isRunning = false;
  const check = async (): Promise<void> => {
    if (isRunning || kept.every((name) => isKept(name === '' ? undefined : name))) return;
    isRunning = true;
    try {
      kept = await endEarlier(parts, isKept);
    } catch (error) {
      kept = [];
      log.warn({ reason: String(error) }, 'the policies of an earlier agent go on');
    }
    isRunning = false;
    await check();
  };
  store.onSettled(() => void check());
  void files.whenKnown().then(check);
  void kubernetes?.whenLoaded.then(check);
  await check();
}

/** Returns the names of the policies that stay. The empty name stands for those of another version of polytrace. */
async function endEarlier({ tracer, files, store, journal, log }: TakeOverParts, isKept: IsKept): Promise<string[]> {
  const earlier = new Set<string>();
  const keep: IsKept = (name) => {
    if (name !== undefined) earlier.add(name);
    return isKept(name);
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
  if (kept.length > 0) {
    const paths = files.unknownPaths;
    const message = 'policies of an earlier agent stay active until their new versions can be loaded, or are removed';
    log.warn({ policies: kept, ...(paths.length > 0 && { paths }) }, message);
  }
  return kept;
}
