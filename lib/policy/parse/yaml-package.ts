/** Loads the package yaml when the first policy is read: its 72 modules take longer to load than the rest of the library. */
import type * as Yaml from 'yaml';

let loaded: typeof Yaml | undefined;

export function yamlPackage(): typeof Yaml {
  // A plain import would load it at once.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  loaded ??= require('yaml') as typeof Yaml;
  return loaded;
}

export const isAlias = ((node) => yamlPackage().isAlias(node)) as typeof Yaml.isAlias;
export const isMap = ((node) => yamlPackage().isMap(node)) as typeof Yaml.isMap;
export const isNode = ((node) => yamlPackage().isNode(node)) as typeof Yaml.isNode;
export const isScalar = ((node) => yamlPackage().isScalar(node)) as typeof Yaml.isScalar;
export const isSeq = ((node) => yamlPackage().isSeq(node)) as typeof Yaml.isSeq;
