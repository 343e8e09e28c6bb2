/** Docker Engine and Podman: they have the same interface. */
import type { ContainerInfo } from '../../../types/containers.js';
import { podOfLabels } from '../pods.js';
import { addIf, forEach, SocketSource, type Found, type Report } from './connection.js';
import { followJson, getJson } from './http.js';
import { member, textOf, textsOf } from './json.js';

const STARTED = new Set(['create', 'init', 'start', 'restart', 'rename', 'update']);
/** In the words of Docker and of Podman. */
const ENDED = new Set(['die', 'died', 'destroy', 'remove']);
const EVENTS = `/events?filters=${encodeURIComponent('{"type":["container"]}')}`;
const LIST = '/containers/json?all=true';
/** States of containers without processes, in the words of Docker and of Podman. */
const STOPPED: readonly unknown[] = ['exited', 'stopped', 'stopping', 'dead', 'removing'];
/** What an engine shows instead of the start of a container that has not started. */
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

  protected async connect(socket: string, report: Report, signal: AbortSignal): Promise<void> {
    const call = { socket, signal };
    // events wait in the socket until the containers that run already are reported
    const events = await followJson({ ...call, path: EVENTS });
    this.#connected = call;
    try {
      const list = await getJson({ ...call, path: LIST });
      const running = Array.isArray(list) ? list.filter((each) => !STOPPED.includes(member(each, 'State'))) : [];
      const ids = running.map((each) => textOf(member(each, 'Id')));
      await forEach(ids, (id) => this.#report(id, report));
      report.complete();
      for await (const event of events) {
        const id = textOf(member(event, 'Actor', 'ID')) ?? textOf(member(event, 'id'));
        const action = textOf(member(event, 'Action')) ?? '';
        if (STARTED.has(action)) await this.#report(id, report);
        else if (ENDED.has(action) && id !== undefined) report.remove(id);
      }
      throw new Error('the engine has closed the connection');
    } finally {
      this.#connected = undefined;
    }
  }

  async #report(id: string | undefined, report: Report): Promise<void> {
    await addIf(report, await this.#inspect(id));
  }

  async #inspect(id: string | undefined): Promise<Found | undefined> {
    if (id === undefined || this.#connected === undefined) return undefined;
    const path = `/containers/${encodeURIComponent(id)}/json`;
    return infoOf(await getJson({ ...this.#connected, path }), this.name);
  }

  async find(id: string): Promise<void> {
    await this.addFound(await this.#inspect(id));
  }
}

function infoOf(json: unknown, runtime: string): Found | undefined {
  const id = textOf(member(json, 'Id'));
  if (id === undefined) return undefined;
  const isRunning = !STOPPED.includes(member(json, 'State', 'Status'));
  const labels = textsOf(member(json, 'Config', 'Labels'));
  const name = textOf(member(json, 'Name'))?.replace(/^\//, '');
  const pod = podOfLabels(labels);
  const started = textOf(member(json, 'State', 'StartedAt'));
  const pid = member(json, 'State', 'Pid');
  const info = {
    id,
    runtime,
    name: (pod === undefined ? undefined : labels['io.kubernetes.container.name']) ?? name,
    image: { id: textOf(member(json, 'Image')), name: textOf(member(json, 'Config', 'Image')) },
    labels,
    startTime: started === NEVER ? undefined : started,
    privileged: member(json, 'HostConfig', 'Privileged') === true,
    pid: typeof pid === 'number' && pid > 0 ? pid : undefined,
    pod,
  } as ContainerInfo;
  return { info, isRunning };
}
