/** Finds values in events: a value by its label in the policy, and the path of the file that an event is about. */
import type { ArgumentOf, FileArgument, HookArgument, PlainEvent } from '../../types/events.js';

export function isFile(argument: HookArgument): argument is ArgumentOf<FileArgument['type']> {
  return 'path' in argument;
}

export function argOf(event: PlainEvent, label: string): HookArgument | undefined {
  return eventValues(event).find((value) => value.label === label);
}

export function pathOf(event: PlainEvent): string | undefined {
  if (event.type === 'process_exec') return event.process.executable;
  if (event.type === 'process_loader') return event.path;
  return eventValues(event).find(isFile)?.path;
}

function eventValues(event: PlainEvent): readonly HookArgument[] {
  if (!('args' in event)) return [];
  const { args } = event;
  if (!('data' in event)) return args;
  return [...args, ...event.data, ...(event.return === undefined ? [] : [event.return])];
}
