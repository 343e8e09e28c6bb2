/** Sends datagrams to Unix sockets: those of the service manager that started this process, and others. */
import { getSystemErrorName } from 'node:util';
import { loadBinding } from './binding.js';

export function notifyService(state: string): boolean {
  const socket = process.env['NOTIFY_SOCKET'];
  // the protocol also has sockets for virtual machines (vsock:), which only systemd in the machine uses
  if (socket === undefined || !/^[/@]/.test(socket)) return false;
  return loadBinding().notifyService(socket, state);
}

export function sendDatagram(socket: string, bytes: Uint8Array): string | undefined {
  if (!/^[/@]/.test(socket) || socket.includes('\0')) return 'EINVAL';
  const error = loadBinding().sendDatagram(socket, bytes);
  return error === 0 ? undefined : getSystemErrorName(-error);
}
