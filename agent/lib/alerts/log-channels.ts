/** Sends alerts to syslog and journald. Neither answers: an alert is sent when the kernel has taken it. */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, isIPv6, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { sendDatagram } from 'polytrace';
import { splitAddress, type JournaldReceiver, type SyslogAddress, type SyslogReceiver } from '../config/receivers.js';
import type { Alert } from './alert.js';
import type { Channel, ChannelOutcome } from './channel.js';
import { formatJournal, formatSyslog } from './log-formats.js';
import { TlsReader, type TlsContents } from './secret-file.js';

const SENT = { kind: 'sent' } as const;

function sendToSocket(path: string, bytes: Buffer): ChannelOutcome {
  const error = sendDatagram(path, bytes);
  if (error === undefined) return SENT;
  const reason = `${path}: ${error}`;
  return error === 'EMSGSIZE' ? { kind: 'refused', reason } : { kind: 'failed', reason };
}

export class JournaldChannel implements Channel {
  readonly #path: string;

  constructor({ socket }: JournaldReceiver) {
    this.#path = socket;
  }

  send(alert: Alert): Promise<ChannelOutcome> {
    return Promise.resolve(sendToSocket(this.#path, formatJournal(alert)));
  }

  close(): void {
    // no connection is kept
  }
}

export class SyslogChannel implements Channel {
  readonly #receiver: SyslogReceiver;
  readonly #address: SyslogAddress;
  readonly #tls: TlsReader;
  #datagrams: DatagramSocket | undefined;
  #stream: Socket | undefined;
  #contents: TlsContents | undefined;

  constructor(receiver: SyslogReceiver) {
    this.#receiver = receiver;
    this.#address = splitAddress(receiver.address);
    this.#tls = new TlsReader(receiver);
  }

  /** Rejects with a SecretFileError if a file cannot be used. */
  async checkFiles(): Promise<void> {
    await this.#tls.read();
  }

  async send(alert: Alert, signal: AbortSignal): Promise<ChannelOutcome> {
    const bytes = Buffer.from(formatSyslog(alert, this.#receiver.facility));
    const { protocol, host } = this.#address;
    if (protocol === 'unix') return sendToSocket(host, bytes);
    if (protocol === 'udp') await this.#sendDatagram(bytes);
    else await this.#sendFrame(bytes, signal);
    return SENT;
  }

  #sendDatagram(bytes: Buffer): Promise<void> {
    const { host, port } = this.#address;
    if (this.#datagrams === undefined) {
      const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
      // an error of an earlier datagram
      socket.on('error', () => undefined);
      socket.unref();
      this.#datagrams = socket;
    }
    const socket = this.#datagrams;
    return new Promise((resolve, reject) => {
      socket.send(bytes, port, host, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  /** The length comes before each message (RFC 6587, RFC 5425). */
  async #sendFrame(bytes: Buffer, signal: AbortSignal): Promise<void> {
    const stream = await this.#connect(signal);
    try {
      await new Promise<void>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('the receiver does not read')), { once: true });
        stream.write(Buffer.concat([Buffer.from(`${bytes.length} `), bytes]), (error) => {
          if (error) reject(error);
          else resolve();
        });
      });
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  async #connect(signal: AbortSignal): Promise<Socket> {
    const contents = await this.#tls.read();
    if (this.#stream?.writable === true && this.#contents === contents) return this.#stream;
    this.#stream?.destroy();
    this.#contents = contents;
    const { protocol, host, port } = this.#address;
    const isTls = protocol === 'tls';
    const name = isIPv6(host) || /^[\d.]+$/.test(host) ? {} : { servername: host };
    const stream = isTls
      ? connectTls({ host, port, ...name, ...contents, minVersion: 'TLSv1.2' })
      : connect({ host, port });
    this.#stream = stream;
    try {
      await once(stream, isTls ? 'secureConnect' : 'connect', { signal });
    } catch (error) {
      stream.on('error', () => undefined);
      stream.destroy();
      throw error;
    }
    // a receiver that closes the connection is found before the next alert
    stream.on('error', () => stream.destroy());
    stream.on('end', () => stream.destroy());
    stream.resume();
    stream.unref();
    return stream;
  }

  close(): void {
    this.#datagrams?.close();
    this.#datagrams = undefined;
    this.#stream?.destroy();
  }
}
