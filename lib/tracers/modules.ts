/** `polytrace trace modules`: modules that the kernel loads and unloads. */
import { fieldColumn, WHO } from './columns.js';
import { formatPolicy, selectors, type YamlObject } from './policy-text.js';
import { isHookEvent, makeRow, type TracerDefinition, type TraceOptions } from './tracer.js';
import { findValue } from './values.js';

export const modulesTracer: TracerDefinition = {
  name: 'modules',
  summary: 'modules that the kernel loads and unloads',
  needs: 'a kernel with modules (CONFIG_MODULES), raw tracepoints, and its types (CONFIG_DEBUG_INFO_BTF)',
  policies: (options) => [
    formatPolicy(options.policyName, ['Modules that the kernel loads and unloads.'], {
      tracepoints: [hook('module_load', options), hook('module_free', options)],
    }),
  ],
  columns: () => [...WHO, fieldColumn('EVENT', 6, 'event'), fieldColumn('TAINTS', 8, 'taints'), fieldColumn('MODULE', 24, 'module')], // prettier-ignore
  createCollector: () => ({
    forgotten: 0,
    take(event) {
      if (!isHookEvent(event) || event.type !== 'process_tracepoint') return [];
      const module = findValue(event, 'module');
      if (module?.type !== 'module') return [];
      const { name, taints } = module;
      return [
        makeRow(event, {
          event: event.event === 'module_load' ? 'load' : 'unload',
          module: name,
          taints: formatTaints(taints),
        }),
      ];
    },
  }),
};

/** Letters of the taints of a module (linux/panic.h): proprietary, out of the tree, unsigned, … */
const TAINTS: readonly (readonly [bit: bigint, letter: string])[] = [
  [0n, 'P'],
  [1n, 'F'],
  [10n, 'C'],
  [12n, 'O'],
  [13n, 'E'],
  [15n, 'K'],
];

function formatTaints(taints: bigint): string {
  return TAINTS.filter(([bit]) => ((taints >> bit) & 1n) === 1n).map(([, letter]) => letter).join('') || '-'; // prettier-ignore
}

function hook(event: string, options: TraceOptions): YamlObject {
  return {
    subsystem: 'module',
    event,
    raw: true,
    args: [{ index: 0, type: 'module', label: 'module' }],
    selectors: selectors(options),
  };
}
