/** Installs the CustomResourceDefinitions. Those of another program are left as they are. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ApiClient, ApiError, type Api } from './client.js';
import { RESOURCES } from './resources.js';
import type { KubeObject } from './watch.js';

const PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const PART_OF = 'app.kubernetes.io/part-of';

/** The build copies them from deploy/kubernetes/crds/. */
const FOLDER = join(__dirname, '../../crds');

/** Returns a line about each definition. Without a kubeconfig, the service account of the pod is used. */
export async function installCrds(kubeconfig?: string): Promise<string[]> {
  const api: Api = await ApiClient.load(kubeconfig);
  const result: string[] = [];
  for (const { plural } of RESOURCES) {
    const crd = parse(readFileSync(join(FOLDER, `${plural}.yaml`), 'utf8')) as KubeObject;
    const { name } = crd.metadata;
    const present = await find(api, name);
    if (present !== undefined && !isOwn(present)) {
      result.push(`${name}: kept, because another program has installed it`);
      continue;
    }
    const query = { fieldManager: 'polytrace', force: 'true' };
    await api.call('PATCH', `${PATH}/${name}`, { query, body: crd, contentType: 'application/apply-patch+yaml' });
    result.push(`${name}: ${present === undefined ? 'installed' : 'updated'}`);
  }
  return result;
}

/** True if the definitions are ours, so that their status is as we write it. Rejects if there is none. */
export async function hasOwnStatus(api: Api): Promise<boolean> {
  for (const { plural } of RESOURCES) {
    const name = `${plural}.cilium.io`;
    const crd = await find(api, name);
    if (crd === undefined)
      throw new Error(`the cluster has no CustomResourceDefinition ${name}: run \`polytrace agent install-crds\``);
    if (!isOwn(crd)) return false;
  }
  return true;
}

async function find(api: Api, name: string): Promise<KubeObject | undefined> {
  try {
    return await api.call<KubeObject>('GET', `${PATH}/${name}`);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

const isOwn = ({ metadata: { labels = {} } }: KubeObject): boolean => labels[PART_OF] === 'polytrace';
