/** An HTTP client for the Unix socket of a container engine. A response is one JSON value, or a stream of lines with JSON. */
import { request as httpRequest, type IncomingMessage } from 'node:http';

const ANSWER_MAX = 32 * 1024 * 1024;
const LINE_MAX = 1024 * 1024;
const TIMEOUT_MS = 5000;

interface Call {
  readonly socket: string;
  readonly path: string;
  readonly signal: AbortSignal;
}

/** The engine has answered, and refuses this call. */
export class AnswerError extends Error {}

/** Resolves with undefined if the engine does not have the object. */
export async function getJson(call: Call): Promise<unknown> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await sendRequest({ ...call, signal: AbortSignal.any([call.signal, timeout]) });
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += (chunk as Buffer).length;
    if (length > ANSWER_MAX) throw new Error(`${call.path}: the answer has more than ${ANSWER_MAX} bytes`);
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString();
  if (isUnknownObject(response.statusCode, text)) return undefined;
  if (response.statusCode !== 200) throw statusError(call.path, response, text);
  return JSON.parse(text);
}

/** Opens a stream of lines with one JSON value each. Resolves when the engine has started to send. */
export async function followJson(call: Call): Promise<AsyncIterable<unknown>> {
  const response = await sendRequest(call);
  if (response.statusCode !== 200) {
    response.destroy();
    throw statusError(call.path, response, '');
  }
  return parseLines(call.path, response);
}

async function* parseLines(path: string, response: IncomingMessage): AsyncGenerator<unknown, void> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_MAX) throw new Error(`${path}: a line has more than ${LINE_MAX} characters`);
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line);
  }
}

/** While Podman removes a container, it answers with status 500 and this cause. */
function isUnknownObject(status: number | undefined, text: string): boolean {
  return status === 404 || (status === 500 && /"cause": ?"no such container"/.test(text));
}

function statusError(path: string, { statusCode }: IncomingMessage, text: string): AnswerError {
  return new AnswerError(`${path}: the engine answers with status ${statusCode ?? 0} ${text.slice(0, 200)}`);
}

function sendRequest({ socket, path, signal }: Call): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath: socket, path, agent: false, signal, headers: { host: 'localhost' } });
    // the connection does not keep the process alive
    request.on('socket', (connection) => void connection.unref());
    request.on('response', resolve);
    request.on('error', reject);
    request.end();
  });
}
