/** How the file of the export is rotated. A client can change it while the agent runs. */
import { parseDuration, SettingValueError } from '../config/setting-kinds.js';
import { SETTINGS, settingName, type AgentOptions } from '../config/settings.js';
import type { RotationLimits, Sink } from './sink.js';

const MEBIBYTE = 1024 * 1024;

/** The settings, as clients know them. */
interface RotationParams {
  /** In mebibytes. */
  readonly maxSize: number;
  readonly rotationInterval: string;
  readonly maxBackups: number;
}

type WantedParams = { readonly [K in keyof RotationParams]?: RotationParams[K] | undefined };

/** A setting that was changed. */
interface RotationChange {
  readonly setting: string;
  readonly before: string;
  readonly after: string;
}

const KEYS = {
  maxSize: 'exportFileMaxSizeMb',
  rotationInterval: 'exportFileRotationInterval',
  maxBackups: 'exportFileMaxBackups',
} as const;

export class Rotation {
  readonly #sink: Pick<Sink, 'setRotation'>;
  #params: RotationParams;

  constructor(options: AgentOptions, sink: Pick<Sink, 'setRotation'>) {
    this.#sink = sink;
    this.#params = rotationParams(options);
  }

  get params(): RotationParams {
    return this.#params;
  }

  /**
   * Applies the members that are present. Returns what has changed, or an error that names the setting. Then nothing has
   * changed.
   */
  change(wanted: WantedParams): RotationChange[] | SettingValueError {
    const parsed = tryParse(wanted);
    if (parsed instanceof SettingValueError) return parsed;
    const params = { ...this.#params, ...parsed };
    const names = Object.keys(KEYS) as (keyof RotationParams)[];
    const changed = names.filter((name) => params[name] !== this.#params[name]);
    const changes = changed.map((name) => {
      const [before, after] = [String(this.#params[name]), String(params[name])];
      return { setting: settingName(KEYS[name]), before, after };
    });
    this.#params = params;
    if (changes.length > 0) this.#sink.setRotation?.(rotationLimits(params));
    return changes;
  }
}

function tryParse(wanted: WantedParams): Partial<RotationParams> | SettingValueError {
  try {
    return parseParams(wanted);
  } catch (error) {
    if (error instanceof SettingValueError) return error;
    throw error;
  }
}

/** The settings have the same limits as in the configuration. */
function parseParams({ maxSize, rotationInterval, maxBackups }: WantedParams): Partial<RotationParams> {
  return {
    ...(maxSize !== undefined && { maxSize: parseAs('maxSize', maxSize) as number }),
    ...(rotationInterval !== undefined && {
      rotationInterval: parseAs('rotationInterval', rotationInterval) as string,
    }),
    ...(maxBackups !== undefined && { maxBackups: parseAs('maxBackups', maxBackups) as number }),
  };
}

function parseAs(name: keyof RotationParams, value: number | string): number | string {
  const key = KEYS[name];
  try {
    return SETTINGS[key].parse(value);
  } catch (error) {
    if (!(error instanceof SettingValueError)) throw error;
    throw new SettingValueError(`${settingName(key)}: CONFIG_VALUE: ${error.message}, not '${value}'`);
  }
}

export function rotationParams(options: AgentOptions): RotationParams {
  return {
    maxSize: options.exportFileMaxSizeMb,
    rotationInterval: options.exportFileRotationInterval,
    maxBackups: options.exportFileMaxBackups,
  };
}

export function rotationLimits({ maxSize, rotationInterval, maxBackups }: RotationParams): RotationLimits {
  return { maxBytes: maxSize * MEBIBYTE, intervalMs: parseDuration(rotationInterval), backups: maxBackups };
}
