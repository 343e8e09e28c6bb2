/** Loads the package yaml when something reads or writes YAML. It takes a megabyte, and most agents have no such file. */
import type * as Yaml from 'yaml';

// An import statement would load the package with this module.
// eslint-disable-next-line @typescript-eslint/no-require-imports
export const loadYaml = (): typeof Yaml => require('yaml') as typeof Yaml;
