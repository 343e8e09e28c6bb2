/** The name of the server in TLS, for clients of @grpc/grpc-js. */
import { isIP } from 'node:net';

/** The part of ChannelCredentials of @grpc/grpc-js that opens connections. There is no public way to it. */
interface SecureCredentials {
  _createSecureConnector: (...args: never[]) => object;
}

/**
 * TLS has no server names that are IP addresses, and Node.js warns of them (DEP0123). gRPC has no option to leave the name
 * out. Changes the credentials if `host` is an address, `[…]` included, and returns them. The certificate is still checked
 * for the address.
 */
export function omitServerAddress<T extends SecureCredentials>(secure: T, host: string): T {
  if (isIP(host.replace(/^\[|\]$/g, '')) === 0) return secure;
  const create = secure._createSecureConnector.bind(secure);
  secure._createSecureConnector = (...args) => {
    const connector = create(...args);
    const { connectionOptions } = connector as { readonly connectionOptions?: { servername?: string } };
    if (connectionOptions !== undefined) connectionOptions.servername = '';
    return connector;
  };
  return secure;
}
