/** Says which calls an exception hides, as the filters of its selector do. Pure. */
import { BlockList } from 'node:net';
import type { CompiledPolicy } from '../compiled/compiled-policy.js';
import { readEvent } from './collector.js';
import type { ArgumentFilter, Exception } from './exceptions.js';
import type { HookEvent, Identity } from './identity.js';
import type { LearnedValue } from './values.js';

/** True if one of the exceptions hides the event. */
export function isCovered(
  policy: CompiledPolicy,
  exceptions: readonly Exception[],
  hook: number,
  event: HookEvent,
): boolean {
  const own = exceptions.filter((exception) => exception.hook === hook);
  if (own.length === 0) return false;
  const reading = readEvent(policy, hook, event);
  if ('refusal' in reading) return false;
  return own.some(
    ({ identity, filters }) =>
      isSameIdentity(identity, reading.identity) && filters.every((filter) => holds(filter, reading.values)),
  );
}

function isSameIdentity(exception: Identity, { programs, script, ancestor, container }: Identity): boolean {
  return (
    programs.every((program) => exception.programs.includes(program)) &&
    exception.script === script &&
    exception.ancestor === ancestor &&
    exception.container?.key === container?.key &&
    exception.container?.value === container?.value
  );
}

function holds({ position, operator, values }: ArgumentFilter, all: readonly LearnedValue[]): boolean {
  const value = all.find((each) => each.position === position);
  if (value === undefined) return false;
  const [port = '', address = ''] = value.text.split(' ');
  switch (operator) {
    case 'Equal':
      return values.includes(value.text);
    case 'Prefix':
      return values.some((each) => value.text.startsWith(each));
    case 'Postfix':
      return values.some((each) => value.text.endsWith(each));
    case 'DPort':
    case 'SPort':
      return values.includes(port);
    case 'DAddr':
    case 'SAddr':
      return isInNetworks(address, values);
    case 'NotDAddr':
    case 'NotSAddr':
      return !isInNetworks(address, values);
    default:
      return false;
  }
}

function isInNetworks(address: string, networks: readonly string[]): boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [base = '', bits] = network.split('/');
    const family = base.includes(':') ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(base, family);
    else list.addSubnet(base, Number(bits), family);
  }
  return list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
}
