/** Checks the option `containers` and adds defaults. */
import { isAbsolute } from 'node:path';
import { inspect } from 'node:util';
import type { ContainerSource } from '../../types/containers.js';
import type { ContainerOptions, ContainerSourceName, TracerOptions } from '../../types/tracer.js';
import { badOptionError, checkOptionNames, type OptionNames } from './bad-option.js';

export interface ResolvedContainerOptions {
  /** Undefined: the sources whose sockets exist. */
  readonly sources: readonly (ContainerSource | ContainerSourceName)[] | undefined;
  readonly waitMs: number;
  readonly startWaitMs: number;
  /** True if the annotations of pods are kept. */
  readonly annotations: boolean;
  readonly sockets: NonNullable<ContainerOptions['sockets']>;
}

/** The sources of the library, the most trusted first. */
export const SOURCE_NAMES = ['nri', 'cri', 'docker', 'podman', 'cgroups'] as const;
const SOCKETS: OptionNames<NonNullable<ContainerOptions['sockets']>> = {
  nri: true,
  cri: true,
  docker: true,
  podman: true,
};
const OPTION_NAMES: OptionNames<ContainerOptions> = {
  sources: true,
  waitMs: true,
  startWaitMs: true,
  annotations: true,
  sockets: true,
};

/** Throws PolytraceError BAD_OPTION. */
export function resolveContainerOptions(
  value: TracerOptions['containers'] = false,
): ResolvedContainerOptions | undefined {
  if (value === false) return undefined;
  if (value === true) return resolveContainerOptions({});
  if (typeof value !== 'object' || value === null) {
    throw badOptionError(
      'containers',
      `is ${inspect(value)}`,
      `use true, false or { ${Object.keys(OPTION_NAMES).join(', ')} }`,
    );
  }
  checkOptionNames(value, OPTION_NAMES, 'containers.');
  const { sources, waitMs = 500, startWaitMs = 1500, annotations = true, sockets = {} } = value;
  checkMilliseconds('waitMs', waitMs, 10_000);
  checkMilliseconds('startWaitMs', startWaitMs, 60_000);
  if (typeof annotations !== 'boolean')
    throw badOptionError('containers.annotations', `is ${inspect(annotations)}`, 'use true or false');
  checkSources(sources);
  checkOptionNames(sockets, SOCKETS, 'containers.sockets.');
  for (const [name, path] of Object.entries(sockets)) {
    if (typeof path !== 'string' || !isAbsolute(path)) {
      throw badOptionError(`containers.sockets.${name}`, `is ${inspect(path)}`, 'use the absolute path of a socket');
    }
  }
  return { sources, waitMs, startWaitMs, annotations, sockets };
}

function checkMilliseconds(name: string, value: unknown, max: number): void {
  if (typeof value === 'number' && value >= 0 && value <= max) return;
  throw badOptionError(`containers.${name}`, `is ${inspect(value)}`, `use a number from 0 to ${max}`);
}

function checkSources(sources: ContainerOptions['sources']): void {
  if (sources === undefined) return;
  const allowed = `use a list of ${SOURCE_NAMES.join(', ')} and of objects with name, start() and stop()`;
  if (!Array.isArray(sources)) throw badOptionError('containers.sources', `is ${inspect(sources)}`, allowed);
  const names = sources.map((source: ContainerSource | string) => {
    if (typeof source === 'string') {
      if ((SOURCE_NAMES as readonly string[]).includes(source)) return source;
    } else if (
      typeof source?.start === 'function' &&
      typeof source.stop === 'function' &&
      typeof source.name === 'string'
    ) {
      return source.name;
    }
    throw badOptionError('containers.sources', `has ${inspect(source)}`, allowed);
  });
  const duplicate = names.find((name, i) => names.indexOf(name) !== i);
  if (duplicate !== undefined)
    throw badOptionError('containers.sources', `has ${duplicate} twice`, 'name each source once');
}
