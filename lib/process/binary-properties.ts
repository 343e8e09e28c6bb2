/** What is special about an executable, from the record of its exec. */
import type { BinaryProperties, Process } from '../../types/events.js';
import { EventExec, ProcessFlag } from '../wire/layout.gen.js';
import type { Slab } from '../wire/slab.js';

type Image = Pick<Process, 'credentials' | 'capabilities' | 'executable'>;

/** Undefined for an ordinary executable. */
export function binaryPropertiesOf(record: Slab, image: Image): BinaryProperties | undefined {
  const isRaised = (record.u16(EventExec.headerFlags) & ProcessFlag.PROCESS_SECURE_EXEC) !== 0;
  const links = record.u32(EventExec.links);
  if (!isRaised && links !== 0) return undefined;
  const file = { inode: record.u64(EventExec.inode), links, path: image.executable };
  const raised = isRaised ? raisedBy(image) : { privilegesRaised: [] };
  return links === 0 ? Object.assign(raised, { file }) : raised;
}

/**
 * An exec changes only the effective ids, so they differ from the real ones if the file has set-user-id or
 * set-group-id. Without root, only the capabilities of the file remain after such an exec.
 */
function raisedBy({ credentials, capabilities }: Image): BinaryProperties {
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
