/** Messages to the service manager that started this process. */
import { loadBinding } from './binding.js';

export function notifyService(state: string): boolean {
  const socket = process.env['NOTIFY_SOCKET'];
  // the protocol also has sockets of virtual machines (vsock:), which only their systemd uses
  if (socket === undefined || !/^[/@]/.test(socket)) return false;
  return loadBinding().notifyService(socket, state);
}
