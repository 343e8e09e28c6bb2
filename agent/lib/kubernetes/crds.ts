/** Installs the CustomResourceDefinitions. Definitions that another program has installed stay unchanged. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadYaml } from '../yaml-package.js';
import { ApiClient, ApiError, type Api } from './client.js';
import { POD_INFO, RESOURCES } from './resources.js';
import type { KubeObject } from './watch.js';

const CRDS_PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const PART_OF = 'app.kubernetes.io/part-of';

/** The build copies the files from deploy/kubernetes/crds/. */
const CRDS_FOLDER = join(__dirname, '../../crds');

/** The cluster does not have the resources of policies. */
export class MissingDefinitionError extends Error {}

/** Returns one line about each definition. Without a kubeconfig, the service account of the pod is used. */
export async function installCrds(kubeconfig?: string): Promise<string[]> {
  const api: Api = await ApiClient.load(kubeconfig);
  const result: string[] = [];
  for (const { plural } of [...RESOURCES, POD_INFO]) {
    const crd = loadYaml().parse(readFileSync(join(CRDS_FOLDER, `${plural}.yaml`), 'utf8')) as KubeObject;
    const { name } = crd.metadata;
    const present = await findCrd(api, name);
    if (present !== undefined && !isOwnCrd(present)) {
      result.push(`${name}: kept, because another program has installed it`);
      continue;
    }
    const query = { fieldManager: 'polytrace', force: 'true' };
    await api.call('PATCH', `${CRDS_PATH}/${name}`, { query, body: crd, contentType: 'application/apply-patch+yaml' });
    result.push(`${name}: ${present === undefined ? 'installed' : 'updated'}`);
  }
  return result;
}

/**
 * Returns true if the agent's own definitions are installed: only these have its form of the status. Rejects if a
 * definition is missing.
 */
export async function hasOwnStatus(api: Api): Promise<boolean> {
  for (const { plural } of RESOURCES) {
    const name = `${plural}.cilium.io`;
    const crd = await findCrd(api, name);
    if (crd === undefined)
      throw new MissingDefinitionError(
        `the cluster has no CustomResourceDefinition ${name}: run \`polytrace agent install-crds\``,
      );
    if (!isOwnCrd(crd)) return false;
  }
  return true;
}

async function findCrd(api: Api, name: string): Promise<KubeObject | undefined> {
  try {
    return await api.call<KubeObject>('GET', `${CRDS_PATH}/${name}`);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

const isOwnCrd = ({ metadata: { labels = {} } }: KubeObject): boolean => labels[PART_OF] === 'polytrace';
