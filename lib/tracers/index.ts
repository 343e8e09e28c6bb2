/** The tracers of `polytrace trace`, in the order of the help. */
import { acceptTracer } from './accept.js';
import { bindTracer } from './bind.js';
import { blockioTracer } from './blockio.js';
import { capableTracer } from './capable.js';
import { connectTracer } from './connect.js';
import { dnsTracer } from './dns.js';
import { execTracer } from './exec.js';
import { filesTracer } from './files.js';
import { modulesTracer } from './modules.js';
import { mountTracer } from './mount.js';
import { oomTracer } from './oom.js';
import { openTracer } from './open.js';
import { latencyTracer } from './latency.js';
import { killTracer, signalsTracer } from './signals.js';
import { slowFsTracer } from './slow-fs.js';
import { tcpTracer } from './tcp.js';
import { tlsTracer } from './tls.js';
import type { TracerDefinition } from './tracer.js';

export { bytesColumn, fieldColumn } from './columns.js';
export { FUNCTIONS_MAX, isFunctionName } from './latency.js';
export { drawHistogram } from './histogram.js';
export { TLS_LIBRARIES } from './tls.js';
export type { Collector, FieldValue, OwnOption, Row, RowColumn, Summary, TraceOptions, TracerDefinition } from './tracer.js'; // prettier-ignore

export const TRACERS: readonly TracerDefinition[] = [
  openTracer,
  execTracer,
  filesTracer,
  connectTracer,
  acceptTracer,
  tcpTracer,
  dnsTracer,
  bindTracer,
  mountTracer,
  signalsTracer,
  killTracer,
  capableTracer,
  oomTracer,
  modulesTracer,
  blockioTracer,
  slowFsTracer,
  latencyTracer,
  tlsTracer,
];
