/** Loads the package yaml when the first policy is parsed: it takes longer to load than the rest of the library. */
import type * as Yaml from 'yaml';

let yamlModule: typeof Yaml | undefined;

export function loadYaml(): typeof Yaml {
  // An import statement would load the package with this module.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  yamlModule ??= require('yaml') as typeof Yaml;
  return yamlModule;
}

export const isAlias = ((node) => loadYaml().isAlias(node)) as typeof Yaml.isAlias;
export const isMap = ((node) => loadYaml().isMap(node)) as typeof Yaml.isMap;
export const isNode = ((node) => loadYaml().isNode(node)) as typeof Yaml.isNode;
export const isScalar = ((node) => loadYaml().isScalar(node)) as typeof Yaml.isScalar;
export const isSeq = ((node) => loadYaml().isSeq(node)) as typeof Yaml.isSeq;
