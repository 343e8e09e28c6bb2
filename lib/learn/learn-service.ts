/** Learns what a service does from recordings. */
import type { LearnedService, LearnServiceOptions, ServiceOptions } from '../../types/learn.js';
import { PolytraceError } from '../errors.js';
import { compilePolicy } from '../policy/index.js';
import { POLICY_NAME } from '../run/policy.js';
import { readAll, readHooks } from './recordings.js';
import { recordingPolicy, ServiceObserver } from './service-events.js';
import { writeService } from './service-policy.js';

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,50}[a-z0-9])?$/;

export async function learnService(
  recordings: readonly string[],
  options: LearnServiceOptions,
): Promise<LearnedService> {
  checkOptions(options);
  if (!NAME.test(options.name)) {
    throw new PolytraceError(
      'BAD_OPTION',
      `${JSON.stringify(options.name)} is no name of a service`,
      'use at most 52 small letters, digits and -, such as web',
    );
  }
  const { hooks, architecture = 'x64' } = await readHooks(recordings);
  if (!hooks.some(({ policyName }) => policyName === POLICY_NAME)) {
    throw new PolytraceError(
      'LEARN_RECORDING',
      'the recordings do not have the events from which a service is learned',
      'record with the policy that `polytrace learn --print-policy` prints, or with `polytrace run --record`',
    );
  }
  const observer = new ServiceObserver(options);
  for await (const { event } of readAll(recordings)) observer.add(event);
  const hasCapabilities = hooks.some(
    ({ tracepoint, call }) => tracepoint?.event === 'cap_capable' || call === 'cap_capable',
  );
  const learned = writeService(observer.facts(), options, { sources: recordings, architecture, hasCapabilities });
  compilePolicy(learned.yaml, { file: 'the learned policy', architecture });
  return learned;
}

export function servicePolicy(options: ServiceOptions = {}): string {
  checkOptions(options);
  return recordingPolicy(options);
}

function checkOptions({ programs = [], pods }: ServiceOptions): void {
  const relative = programs.find((path) => !path.startsWith('/'));
  if (relative !== undefined) {
    throw new PolytraceError(
      'BAD_OPTION',
      `the program ${JSON.stringify(relative)} is no absolute path`,
      'the kernel knows programs by the path of their file, such as /usr/sbin/nginx; that of a script is its interpreter',
    );
  }
  if (pods !== undefined && Object.keys(pods).length === 0)
    throw new PolytraceError('BAD_OPTION', 'the labels of pods are empty', 'name at least one label');
}
