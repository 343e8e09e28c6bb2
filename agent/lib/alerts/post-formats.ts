/** The bodies that receivers over HTTP expect. */
import type { Severity } from 'polytrace/protocol';
import type { HttpReceiver } from '../config/receivers.js';
import type { Alert } from './alert.js';
import { shortenText } from './text.js';

export interface PostContext {
  /** For how long Alertmanager keeps an alert that is not sent again. */
  readonly resolveMs: number;
}

/** The body of a request, and the path that follows that of the receiver. */
interface Post {
  readonly path: string;
  readonly body: unknown;
}

export function formatPost(alert: Alert, { type, format }: HttpReceiver, context: PostContext): Post {
  if (type === 'alertmanager') return { path: '/api/v2/alerts', body: [toAlertmanager(alert, context)] };
  if (type === 'falcosidekick') return { path: '', body: toFalco(alert) };
  return { path: '', body: format === 'json' ? alert : toSlack(alert) };
}

function omitEmpty(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
}

/** Name of an alert that belongs to no policy. */
const OWN_NAME = 'polytrace-agent';

/** Alertmanager's API v2. Equal labels are one alert there, so they have no number, time or process id. */
function toAlertmanager(alert: Alert, { resolveMs }: PostContext): object {
  const { severity, policy, hook, node, binary, namespace, pod, container, image, message, detail, links } = alert;
  const labels = {
    alertname: policy === '' ? OWN_NAME : policy,
    severity,
    policy,
    hook,
    node,
    instance: node,
    binary,
    namespace,
    pod,
    container,
    image,
  };
  const { arguments: args, user, pid, execId, count, tags } = alert;
  const annotations = {
    summary: message,
    description: detail,
    command: `${binary} ${args}`.trim(),
    user,
    pid: pid === 0 ? '' : String(pid),
    exec_id: execId,
    events: String(count),
    tags: tags.join(' '),
    links: links.join(' '),
    runbook_url: links[0] ?? '',
  };
  return {
    labels: omitEmpty(labels),
    annotations: omitEmpty(annotations),
    startsAt: alert.firstEventTime,
    endsAt: new Date(Date.parse(alert.time) + resolveMs).toISOString(),
    ...(links[0] === undefined ? {} : { generatorURL: links[0] }),
  };
}

const FALCO_PRIORITIES: Readonly<Record<Severity, string>> = {
  critical: 'Critical',
  high: 'Error',
  medium: 'Warning',
  low: 'Notice',
  info: 'Informational',
};

/** An event of Falco, as falcosidekick takes it. The fields have Falco's names where it has one. */
function toFalco(alert: Alert): object {
  const { severity, policy, hook, node, binary, message, detail, tags, links, pid, execId, count, user } = alert;
  const fields = omitEmpty({
    'proc.name': binary.slice(binary.lastIndexOf('/') + 1),
    'proc.exepath': binary,
    'proc.cmdline': `${binary} ${alert.arguments}`.trim(),
    'user.name': user,
    'container.name': alert.container,
    'container.image.repository': alert.image,
    'k8s.ns.name': alert.namespace,
    'k8s.pod.name': alert.pod,
    'polytrace.policy': policy,
    'polytrace.hook': hook,
    'polytrace.severity': severity,
    'polytrace.exec_id': execId,
    'polytrace.links': links.join(' '),
  });
  return {
    output: `${message}: ${detail}`,
    priority: FALCO_PRIORITIES[severity],
    rule: policy === '' ? OWN_NAME : `${policy}: ${message}`,
    time: alert.firstEventTime,
    output_fields: { ...fields, 'proc.pid': pid, 'polytrace.count': count },
    source: 'polytrace',
    tags: [...tags],
    hostname: node,
  };
}

const COLORS: Readonly<Record<Severity, string>> = {
  critical: '#8b0000',
  high: '#d73a49',
  medium: '#e69500',
  low: '#3b82f6',
  info: '#808080',
};

/** Slack's form, which Mattermost, Rocket.Chat and others take as well. */
function toSlack(alert: Alert): object {
  const { severity, policy, message, node, binary, namespace, pod, container, count, detail, links, user, hook } =
    alert;
  const place = namespace === '' ? container : `${namespace}/${pod}`;
  const fields = omitEmpty({
    Severity: severity,
    Policy: policy,
    Hook: hook,
    Node: node,
    Container: place,
    Process: `${binary} ${alert.arguments}`.trim(),
    User: user,
    Events: count > 1 ? String(count) : '',
    Tags: alert.tags.join(' '),
  });
  const title = `[${severity}] ${escapeMarkup(message)}`;
  return {
    text: title,
    attachments: [
      {
        color: COLORS[severity],
        fallback: title,
        text: quoteCode(detail),
        fields: Object.entries(fields).map(([name, value]) => ({
          title: name,
          value: quoteCode(shortenText(value, 300)),
          short: value.length < 40,
        })),
        ...(links.length === 0 ? {} : { actions: links.slice(0, 5).map(toButton) }),
        footer: 'polytrace',
        ts: Math.floor(Date.parse(alert.firstEventTime) / 1000),
        mrkdwn_in: ['text', 'fields'],
      },
    ],
  };
}

function toButton(url: string): object {
  return { type: 'button', text: new URL(url).hostname, url };
}

/** Escapes what Slack reads as a link or as a mention, such as `<!channel>`. Mattermost reads `@all`. */
function escapeMarkup(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/[*_~`@]/g, (c) => `${c}\u200b`);
}

/** Code has no links, mentions or styles. */
function quoteCode(text: string): string {
  const safe = text.replaceAll('`', "'").replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `\`${safe}\``;
}
