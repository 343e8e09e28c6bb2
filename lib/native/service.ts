/** Sends messages to the service manager that started this process. */
import { loadBinding } from './binding.js';

export function notifyService(state: string): boolean {
  const socket = process.env['NOTIFY_SOCKET'];
  // the protocol also has sockets for virtual machines (vsock:), which only systemd in the machine uses
  if (socket === undefined || !/^[/@]/.test(socket)) return false;
  return loadBinding().notifyService(socket, state);
}
