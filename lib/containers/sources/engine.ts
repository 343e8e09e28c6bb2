/** The source for Docker Engine and Podman, which have the same interface. */
import type { ContainerInfo } from '../../../types/containers.js';
import { podFromLabels } from '../pods.js';
import {
  reportFound,
  forEachConcurrently,
  SocketSource,
  type FoundContainer,
  type ContainerReporter,
} from './connection.js';
import { AnswerError, followJson, getJson } from './http.js';
import { readMember, nonEmptyString, stringMembers } from './json.js';

const STARTED = new Set(['create', 'init', 'start', 'restart', 'rename', 'update']);
/** Actions of events that end a container, as Docker and Podman name them. */
const ENDED = new Set(['die', 'died', 'destroy', 'remove']);
const EVENTS = `/events?filters=${encodeURIComponent('{"type":["container"]}')}`;
const LIST = '/containers/json?all=true';
/** States of containers without processes, as Docker and Podman name them. */
const STOPPED: readonly unknown[] = ['exited', 'stopped', 'stopping', 'dead', 'removing'];
/** The start time of a container that has not started. */
const NEVER = '0001-01-01T00:00:00Z';

export class EngineSource extends SocketSource {
  readonly name: string;
  readonly runtimes: readonly string[];
  #connected: { readonly socket: string; readonly signal: AbortSignal } | undefined;

  constructor(name: 'docker' | 'podman', sockets: readonly string[]) {
    super(sockets);
    this.name = name;
    this.runtimes = [name];
  }

  protected async connect(socket: string, reporter: ContainerReporter, signal: AbortSignal): Promise<void> {
    const call = { socket, signal };
    // events wait in the socket until the running containers are reported
    const events = await followJson({ ...call, path: EVENTS });
    this.#connected = call;
    try {
      const list = await getJson({ ...call, path: LIST });
      const running = Array.isArray(list) ? list.filter((each) => !STOPPED.includes(readMember(each, 'State'))) : [];
      const ids = running.map((each) => nonEmptyString(readMember(each, 'Id')));
      await forEachConcurrently(ids, async (id) => reportFound(reporter, await this.#inspectOne(id, reporter)));
      reporter.complete();
      for await (const event of events) {
        const id = nonEmptyString(readMember(event, 'Actor', 'ID')) ?? nonEmptyString(readMember(event, 'id'));
        const action = nonEmptyString(readMember(event, 'Action')) ?? '';
        if (STARTED.has(action))
          await reportFound(reporter, await this.#inspectOne(id, reporter, parseEvent(event, id, this.name)));
        else if (ENDED.has(action) && id !== undefined) reporter.remove(id);
      }
      throw new Error('the engine has closed the connection');
    } finally {
      this.#connected = undefined;
    }
  }

  /**
   * Returns what the event says if the container is removed already. An error about one container does not end the connection: the
   * others would lose their names.
   */
  async #inspectOne(
    id: string | undefined,
    reporter: ContainerReporter,
    ofEvent?: FoundContainer,
  ): Promise<FoundContainer | undefined> {
    try {
      return (await this.#inspect(id)) ?? ofEvent;
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      reporter.fail(error);
      return ofEvent === undefined ? undefined : { ...ofEvent, isRunning: true };
    }
  }

  async #inspect(id: string | undefined): Promise<FoundContainer | undefined> {
    if (id === undefined || this.#connected === undefined) return undefined;
    const path = `/containers/${encodeURIComponent(id)}/json`;
    return parseContainer(await getJson({ ...this.#connected, path }), this.name);
  }

  async find(id: string): Promise<void> {
    await this.addFound(await this.#inspect(id));
  }
}

/**
 * Returns what an event says about a container that is removed already. With `--rm`, Podman may remove a container before
 * its service says that it was created. The event mixes labels with other values, so there are no labels.
 */
function parseEvent(event: unknown, id: string | undefined, runtime: string): FoundContainer | undefined {
  const name = nonEmptyString(readMember(event, 'Actor', 'Attributes', 'name'));
  if (id === undefined || name === undefined) return undefined;
  const image = nonEmptyString(readMember(event, 'Actor', 'Attributes', 'image'));
  return { info: { id, runtime, name, ...(image === undefined ? {} : { image: { name: image } }) }, isRunning: false };
}

function parseContainer(json: unknown, runtime: string): FoundContainer | undefined {
  const id = nonEmptyString(readMember(json, 'Id'));
  if (id === undefined) return undefined;
  const isRunning = !STOPPED.includes(readMember(json, 'State', 'Status'));
  const labels = stringMembers(readMember(json, 'Config', 'Labels'));
  const name = nonEmptyString(readMember(json, 'Name'))?.replace(/^\//, '');
  const pod = podFromLabels(labels);
  const started = nonEmptyString(readMember(json, 'State', 'StartedAt'));
  const pid = readMember(json, 'State', 'Pid');
  const info = {
    id,
    runtime,
    name: (pod === undefined ? undefined : labels['io.kubernetes.container.name']) ?? name,
    image: { id: nonEmptyString(readMember(json, 'Image')), name: nonEmptyString(readMember(json, 'Config', 'Image')) },
    labels,
    startTime: started === NEVER ? undefined : started,
    privileged: readMember(json, 'HostConfig', 'Privileged') === true,
    pid: typeof pid === 'number' && pid > 0 ? pid : undefined,
    pod,
  } as ContainerInfo;
  return { info, isRunning };
}
