/** Reads from an exec record how the executable differs from an ordinary one: raised privileges, or no name. */
import type { BinaryProperties, Process } from '../../types/events.js';
import { EventExec, ProcessFlag } from '../wire/layout.gen.js';
import type { RecordChunk } from '../wire/record-chunk.js';

type ExecutedProcess = Pick<Process, 'credentials' | 'capabilities' | 'executable'>;

/** Returns undefined for an ordinary executable. */
export function readBinaryProperties(record: RecordChunk, process: ExecutedProcess): BinaryProperties | undefined {
  const isRaised = (record.u16(EventExec.headerFlags) & ProcessFlag.PROCESS_SECURE_EXEC) !== 0;
  const links = record.u32(EventExec.links);
  if (!isRaised && links !== 0) return undefined;
  const file = { inode: record.u64(EventExec.inode), links, path: process.executable };
  const raised = isRaised ? raisedPrivileges(process) : { privilegesRaised: [] };
  return links === 0 ? Object.assign(raised, { file }) : raised;
}

/**
 * Derives how the exec raised privileges. An exec changes only the effective ids, so they differ from the real ones if
 * the file has set-user-id or set-group-id. A process without root has only the capabilities of the file after an exec.
 */
function raisedPrivileges({ credentials, capabilities }: ExecutedProcess): BinaryProperties {
  const { uid, euid, gid, egid } = credentials;
  const privilegesRaised: BinaryProperties['privilegesRaised'][number][] = [];
  if (uid !== 0 && euid !== 0 && capabilities.permitted !== 0n) privilegesRaised.push('fileCapabilities');
  if (uid !== 0 && euid === 0) privilegesRaised.push('setuid');
  if (gid !== 0 && egid === 0) privilegesRaised.push('setgid');
  const properties = { privilegesRaised };
  if (euid !== uid) Object.assign(properties, { setuid: euid });
  if (egid !== gid) Object.assign(properties, { setgid: egid });
  return properties;
}
