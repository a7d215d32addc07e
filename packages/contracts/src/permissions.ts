import { answersOf, answersTo } from './answers.ts';
import { type BucketName, bucketName, buckets, kvStream, kvSubject } from './buckets.ts';
import { observerDelivery } from './observers.ts';
import { ROLE_SCOPE, type Role } from './roles.ts';
import { commands, proberCommands, type RequestRow, type Row, rows } from './rows.ts';
import { streamDefinitions } from './stream-definitions.ts';
import { buildFilter, buildSubtree } from './subject.ts';

/** What nats-server lets one identity do. Everything not listed is denied. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** An identity's own inbox, for what the server answers: nobody else may listen there. */
export function inboxPrefix(role: Role, id: string): string {
  return `_INBOX.${role}.${id}`;
}

/** What `role` with this `id` (host, prober, dashboard or person) may do in `env`. */
export function permissionsFor(env: string, role: Role, id: string): Permissions {
  const requests: readonly RequestRow[] = [...Object.values(commands), ...Object.values(proberCommands)];
  const all: readonly Row[] = Object.values(rows);
  const answers = requests.filter((row) => row.responder === role);
  const publish = [
    ...all.filter((row) => row.publishers.includes(role)).map((row) => sendFilter(env, row.template, role, id)),
    ...requests.filter((row) => row.requesters.includes(role)).map((row) => askFilter(env, row.template, role, id)),
    ...answers.map((row) => answersOf(env, answererIn(row, id))),
    ...kvPublish(env, role, id),
    ...jetStreamPublish(env, role),
  ];
  const subscribe = [
    ...hearFilters(env, role),
    ...answers.map((row) => buildSubtree(env, [row.template.split('.')[0] as string, answererIn(row, id)])),
    answersTo(env, role, id),
    ...(role === 'observer' ? [observerDelivery(env, id)] : []),
    `${inboxPrefix(role, id)}.>`,
  ];
  return { publish: unique(publish), subscribe: unique(subscribe) };
}

/** The token of a question that says who answers: an agent's host, or what the probers share. */
function answererIn({ template }: RequestRow, id: string): string {
  const token = template.split('.')[1] as string;
  return token.startsWith('{') ? id : token;
}

/** Who may hear all of a family may ask for all of it: people and tools write `alert.>`, not one star for each token. */
function hearFilters(env: string, role: Role): string[] {
  const all: readonly Row[] = Object.values(rows);
  const withheld = new Set(all.filter((row) => !row.subscribers.includes(role)).map((row) => familyOf(row.template)));
  return all
    .filter((row) => row.subscribers.includes(role))
    .map(({ template }) => {
      const family = familyOf(template);
      return withheld.has(family) ? buildFilter(env, template) : buildSubtree(env, [family]);
    });
}

/** The first token of a template. */
function familyOf(template: string): string {
  return template.slice(0, template.indexOf('.'));
}

/** Below its own id a scoped role may publish anything, so that a newer version needs no new credentials. */
function sendFilter(env: string, template: string, role: Role, id: string): string {
  const scope = ROLE_SCOPE[role];
  const tokens = template.split('.');
  const at = scope === undefined ? -1 : tokens.indexOf(`{${scope}}`);
  // `health.{host}` and `command.{host}` are not an agent's own: only the token behind the family's name is.
  if (at !== 1) return buildFilter(env, template);
  return buildSubtree(env, [tokens[0] as string, id]);
}

/** An agent asks below its own host only, and never all of it: those are the commands to itself. */
function askFilter(env: string, template: string, role: Role, id: string): string {
  return buildFilter(env, template, role === 'agent' ? { host: id } : {});
}

function kvPublish(env: string, role: Role, id: string): string[] {
  const all = Object.keys(buckets) as BucketName[];
  const single = all.flatMap((name) => buckets[name].proberKeys.map((key) => kvSubject(bucketName(env, name), key)));
  const whole = all
    .filter((name) => buckets[name].writers.includes(role) || buckets[name].deleters.includes(role))
    .map((name) => {
      const own = role === 'agent' && buckets[name].keyedByHost ? `${id}.` : '';
      return kvSubject(bucketName(env, name), `${own}>`);
    });
  return role === 'prober' ? [...whole, ...single] : whole;
}

/**
 * Agents and observers get no JetStream API at all. Whoever may fetch stored messages chooses the subject they are
 * delivered to, and the server then publishes bytes of the caller's choosing there: it could forge another host's
 * command. Readers need it, so what acts on a command checks its signature as well.
 */
function jetStreamPublish(env: string, role: Role): string[] {
  if (role === 'admin') return ['$JS.API.>', '$JS.ACK.>', '$JS.FC.>'];
  const names = [
    ...streamDefinitions(env)
      .filter((stream) => isReader(env, role, stream.subjects))
      .map((stream) => stream.name),
    ...(Object.keys(buckets) as BucketName[])
      .filter((name) => buckets[name].readers.includes(role))
      .map((name) => kvStream(bucketName(env, name))),
  ];
  if (role === 'observer' || names.length === 0) return [];
  return [
    '$JS.API.INFO',
    ...names.flatMap((name) => [
      `$JS.API.STREAM.INFO.${name}`,
      `$JS.API.DIRECT.GET.${name}`,
      `$JS.API.DIRECT.GET.${name}.>`,
      // What a reader makes it may also take away; the server forgets it anyway. Only an admin may list what there is: the
      // list says where everybody's deliveries go, and who knows that could have others sent there.
      `$JS.API.CONSUMER.CREATE.${name}`,
      `$JS.API.CONSUMER.CREATE.${name}.>`,
      `$JS.API.CONSUMER.DELETE.${name}.>`,
      `$JS.FC.${name}.>`,
    ]),
  ];
}

function isReader(env: string, role: Role, subjects: readonly string[]): boolean {
  return Object.values(rows).some(
    (row: Row) => row.subscribers.includes(role) && subjects.includes(buildFilter(env, row.template)),
  );
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}
