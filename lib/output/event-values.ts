/** Finds values in events: a value by its label in the policy, and the path of the file that an event is about. */
import type { ArgumentOf, FileArgument, HookArgument, PlainEvent } from '../../types/events.js';

export function isFile(argument: HookArgument): argument is ArgumentOf<FileArgument['type']> {
  return 'path' in argument;
}

export function findArgument(event: PlainEvent, label: string): HookArgument | undefined {
  return eventValues(event).find((value) => value.label === label);
}

export function eventPath(event: PlainEvent): string | undefined {
  switch (event.type) {
    case 'process_exec':
      return event.process.executable;
    case 'process_loader':
      return event.path;
    case 'process_kprobe':
    case 'process_tracepoint':
    case 'process_uprobe':
    case 'process_usdt':
    case 'process_lsm':
      return eventValues(event).find(isFile)?.path;
    case 'process_exit':
    case 'process_throttle':
    case 'change':
    case 'lost':
      return undefined;
  }
}

function eventValues(event: PlainEvent): readonly HookArgument[] {
  if (!('args' in event)) return [];
  const { args } = event;
  if (!('data' in event)) return args;
  return [...args, ...event.data, ...(event.return === undefined ? [] : [event.return])];
}
