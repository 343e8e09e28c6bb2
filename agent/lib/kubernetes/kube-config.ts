/**
 * Reads kubeconfig files and service accounts, and authenticates. Nothing else of the package is used, so the build
 * bundles this file.
 */
// @ts-expect-error the build makes a CommonJS file of this ES module
export { KubeConfig } from '@kubernetes/client-node';
