/** The options of `polytrace agent`. Names are Tetragon's where the meaning is the same. */
import { Command, Option } from 'commander';
import { LOG_LEVELS, type LogLevel } from '../log/log.js';

const DEFAULT_ADDRESS = 'unix:///run/polytrace/polytrace.sock';
const DEFAULT_FOLDER = '/etc/polytrace/policies.d';

export interface AgentOptions {
  /** Folder whose policies are loaded and watched. */
  readonly tracingPolicyDir: string;
  /** More files or folders with policies. */
  readonly policy: readonly string[];
  /** Addresses of the gRPC server. */
  readonly serverAddress: readonly string[];
  /** Group that may use the socket: a name or a number. */
  readonly group?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** Certificates of those who sign clients' certificates: then a client needs one. */
  readonly tlsClientCa?: string;
  readonly logLevel: LogLevel;
  readonly logFormat: 'json' | 'pretty';
  readonly nodeName?: string;
  readonly clusterName?: string;
  readonly enforcement: boolean;
  readonly allowRequests: boolean;
  readonly persist?: string;
  readonly keepSensorsOnExit: boolean;
  readonly enableProcessCred: boolean;
  readonly enableProcessNs: boolean;
  readonly enableAncestors: boolean;
  readonly containers: boolean;
  readonly eventQueueBytes: number;
  /** Socket of the container runtime: its path, or `unix://PATH`. */
  readonly criEndpoint?: string;
  readonly nriEndpoint?: string;
  readonly enableK8sApi: boolean;
  readonly k8sKubeconfigPath?: string;
  readonly tracingPolicyCrd: boolean;
  readonly enablePodAnnotations: boolean;
}

/** The command line of the agent. `run` gets the options, and `installCrds` the path of a kubeconfig. */
export function agentCommand(
  run: (options: AgentOptions) => Promise<void>,
  installCrds: (kubeconfig: string | undefined) => Promise<void>,
): Command {
  const list = (text: string, before: readonly string[] = []): string[] => [...before, text];
  const command = new Command('agent')
    .description('Run the agent: one tracer for this machine, with policies from a folder and a gRPC server')
    .option('--policy <file-or-folder>', 'load and watch these policies, too (can be repeated)', list, [])
    .option('--tracing-policy-dir <folder>', 'folder with policies, which is watched', DEFAULT_FOLDER)
    .option(
      '--server-address <address>',
      'address of the gRPC server: unix:///PATH or HOST:PORT (can be repeated)',
      addresses,
    )
    .option('--group <group>', 'members of this group may use the socket')
    .option('--tls-cert <file>', 'certificate of the server (PEM); needed for addresses outside of this machine')
    .option('--tls-key <file>', 'key of the certificate (PEM)')
    .option('--tls-client-ca <file>', 'clients need a certificate that one of these signed (PEM)')
    .addOption(new Option('--log-level <level>', 'lowest level of the log').choices([...LOG_LEVELS]).default('info'))
    .addOption(new Option('--log-format <format>', 'format of the log').choices(['json', 'pretty']).default('pretty'))
    .option('--node-name <name>', 'name of this machine in events')
    .option('--cluster-name <name>', 'name of the cluster in events')
    .option('--enforcement', 'allow policies to signal processes, override functions and change programs', false)
    .option('--allow-requests', 'allow policies to make network requests (GetUrl, DnsLookup)', false)
    .option('--persist <folder>', 'keep policies active if the agent dies: pin them in this folder below /sys/fs/bpf')
    .addOption(
      new Option('--keep-sensors-on-exit', 'with --persist: keep policies active whenever the agent ends').default(
        false,
      ),
    )
    .option('--enable-process-cred', 'add capabilities, user and group ids to processes in events', false)
    .option('--enable-process-ns', 'add namespaces to processes in events', false)
    .option('--enable-ancestors', 'add ancestors to events', false)
    .option('--no-containers', 'do not ask the container runtimes for names and pods')
    .option('--cri-endpoint <socket>', 'socket of containerd or CRI-O')
    .option('--nri-endpoint <socket>', 'socket of their Node Resource Interface')
    .option('--enable-k8s-api', 'take labels of pods and nodes, and policies, from the API server of Kubernetes', false)
    .option('--k8s-kubeconfig-path <file>', 'with --enable-k8s-api: a kubeconfig in place of the service account')
    .option('--no-tracing-policy-crd', 'with --enable-k8s-api: load no policies from the cluster')
    .option('--enable-pod-annotations', 'with --enable-k8s-api: add annotations of pods to events', false)
    .option('--event-queue-bytes <bytes>', 'most bytes of events that wait for one client', bytes, 4 * 1024 * 1024)
    .action(async (options: Omit<AgentOptions, 'serverAddress'> & { readonly serverAddress?: readonly string[] }) => {
      await run({ ...options, serverAddress: options.serverAddress ?? [DEFAULT_ADDRESS] });
    });
  command
    .command('install-crds')
    .description('Install the resources of policies in the cluster (--k8s-kubeconfig-path); those of Tetragon stay')
    .action(async (_, install: Command) => {
      await installCrds(install.optsWithGlobals<AgentOptions>().k8sKubeconfigPath);
    });
  return command;
}

function addresses(text: string, before: readonly string[] = []): string[] {
  return [...before, ...text.split(',').filter((each) => each !== '')];
}

function bytes(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 65_536 || value > 256 * 1024 * 1024) {
    throw new BadOption('--event-queue-bytes is a number of bytes from 65,536 to 268,435,456');
  }
  return value;
}

/** An option that makes no sense, or options that contradict each other. */
export class BadOption extends Error {}
