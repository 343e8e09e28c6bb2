/** A registry of npm packages on loopback: packuments and tarballs of packages that a test makes. */
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface TestPackage {
  readonly name: string;
  readonly version?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string | Buffer>>;
}

export class Registry {
  readonly #server: Server;
  readonly #packages = new Map<string, { readonly manifest: object; readonly version: string; readonly tarball: Buffer }>();

  private constructor(private readonly folder: string) {
    this.#server = createServer(({ url = '' }, response) => {
      const [, name = '', tarball] = decodeURIComponent(url).split('/');
      const found = this.#packages.get(name);
      if (found === undefined) response.writeHead(404).end('{}');
      else if (tarball !== undefined) response.end(found.tarball);
      else response.end(JSON.stringify(this.#packument(name, found)));
    });
  }

  static async start(folder: string): Promise<Registry> {
    const registry = new Registry(folder);
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Adds a package, and replaces one of this name. */
  publish({ name, version = '1.0.0', scripts = {}, files = {} }: TestPackage): void {
    const folder = join(this.folder, `${name}-${version}`);
    mkdirSync(join(folder, 'package'), { recursive: true });
    const manifest = { name, version, scripts };
    writeFileSync(join(folder, 'package', 'package.json'), JSON.stringify(manifest));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, 'package', file), text, { mode: 0o755 });
    execFileSync('tar', ['czf', 'package.tgz', 'package'], { cwd: folder });
    this.#packages.set(name, { manifest, version, tarball: readFileSync(join(folder, 'package.tgz')) });
  }

  #packument(name: string, { manifest, version, tarball }: { manifest: object; version: string; tarball: Buffer }): object {
    const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
    const dist = { tarball: `${this.url}${name}/${version}.tgz`, integrity };
    return {
      name,
      'dist-tags': { latest: version },
      versions: { [version]: { ...manifest, hasInstallScript: true, dist } },
    };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
