import { z } from 'zod';
import {
  Amount,
  Causes,
  Count,
  Labels,
  MAX_DEPENDENCIES,
  MAX_ENVIRONMENT_NAMES,
  MAX_INSTANCES,
  MAX_URL_CHARS,
  prose,
  Reason,
  ShortText,
} from '../bounds.ts';
import { OrderedEnvelope, Timestamp } from '../envelope.ts';
import { Id, InstanceNumber } from '../ids.ts';

/** The life of an instance. An unknown word from a newer sender reads as `unknown`, never as a valid state. */
export const INSTANCE_STATES = [
  'pending',
  'starting',
  'running',
  'backoff',
  'stopping',
  'stopped',
  'completed',
  'failed',
  'orphaned',
  'unknown',
] as const;
export const InstanceStateName = z.enum(INSTANCE_STATES).catch('unknown');
export type InstanceStateName = (typeof INSTANCE_STATES)[number];

/** Does the service answer? `unknown` while it has not been asked yet, or has nothing to ask. */
export const Readiness = z.enum(['yes', 'no', 'unknown']).catch('unknown');
export type Readiness = 'yes' | 'no' | 'unknown';

/** What somebody wants, apart from what is. */
export const Desired = z.enum(['up', 'down']);

/** What Linux can end a process with. */
const SIGNALS = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGIOT',
  'SIGBUS',
  'SIGFPE',
  'SIGKILL',
  'SIGUSR1',
  'SIGSEGV',
  'SIGUSR2',
  'SIGPIPE',
  'SIGALRM',
  'SIGTERM',
  'SIGCHLD',
  'SIGSTKFLT',
  'SIGCONT',
  'SIGSTOP',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGURG',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGVTALRM',
  'SIGPROF',
  'SIGWINCH',
  'SIGIO',
  'SIGPOLL',
  'SIGPWR',
  'SIGSYS',
  'unknown',
] as const;
export const SignalName = z.enum(SIGNALS).catch('unknown');

/** How a run ended. `known` is false when nobody was left to learn the code. */
export const ExitStatus = z.object({
  code: z.int().min(-1e9).max(1e10).nullable(),
  signal: SignalName.nullable(),
  known: z.boolean(),
});
export type ExitStatus = z.infer<typeof ExitStatus>;

export const SERVICE_TYPES = ['process', 'fastapi', 'docker', 'systemd', 'supervisor', 'unknown'] as const;
export const ServiceType = z.enum(SERVICE_TYPES).catch('unknown');
export type ServiceType = (typeof SERVICE_TYPES)[number];

/** Which instance, on which host. */
export const InstanceRef = z.object({ host: Id, service: Id, instance: InstanceNumber });
export type InstanceRef = z.infer<typeof InstanceRef>;

/** One transition of one instance. Stream EVENTS; the truth that all other views are made from. */
export const InstanceEvent = OrderedEnvelope.extend({
  ...InstanceRef.shape,
  /** Counts the runs of this instance; 0 before the first. */
  generation: Count,
  from: InstanceStateName,
  to: InstanceStateName,
  ready: Readiness,
  desired: Desired,
  /** A sentence for people: why this happened and what comes next. */
  reason: Reason,
  /** Ids of the events, commands or verdicts that led here. */
  causes: Causes,
  exit: ExitStatus.optional(),
  /** Automatic restarts within the window, this one included. */
  restarts: Count.optional(),
  /** How many of them are allowed within the window. */
  restartBudget: Count.optional(),
  /** Half the budget or more is spent within its window. */
  restartLoop: z.boolean().optional(),
  /** It has failed and not yet lived it down: also while its slow retry runs. Ends after 10 good minutes or a command. */
  onProbation: z.boolean().optional(),
  /** One of Muster's own services. */
  system: z.boolean().optional(),
});
export type InstanceEvent = z.infer<typeof InstanceEvent>;

/** The last known facts of one instance: KV bucket `status`. */
export const InstanceStatus = OrderedEnvelope.extend({
  ...InstanceRef.shape,
  generation: Count,
  state: InstanceStateName,
  ready: Readiness,
  desired: Desired,
  reason: Reason,
  causes: Causes,
  /** When the state was entered, by the agent's clock. */
  changedAt: Timestamp,
  startedAt: Timestamp.optional(),
  pid: z.int().min(1).max(1e9).optional(),
  exit: ExitStatus.optional(),
  restarts: Count,
  restartBudget: Count,
  restartWindowMs: Amount,
  /** It has failed and not yet lived it down. */
  onProbation: z.boolean().optional(),
  /** When the next automatic attempt is due, in `backoff` and `failed`. */
  nextAttemptAt: Timestamp.optional(),
  /** One of Muster's own services: it can't be stopped over the bus that needs it. */
  system: z.boolean(),
});
export type InstanceStatus = z.infer<typeof InstanceStatus>;

/** What a dependent waits for. */
export const DependencyCondition = z.enum(['started', 'ready', 'completed']);
export type DependencyCondition = z.infer<typeof DependencyCondition>;

/** A service of this host, or `<host>/<service>`. */
export const DependencyTarget = z.string().min(1).max(127);
/** Visible ASCII, as every address is that was written down to be asked. */
const Url = z.string().max(MAX_URL_CHARS);
const EnvironmentName = z.string().min(1).max(128);

/** What is configured, as far as others may know it: KV bucket `specs`. Values of the environment never leave the host. */
export const ServiceSpecEntry = OrderedEnvelope.extend({
  host: Id,
  service: Id,
  type: ServiceType,
  /** As configured, without what looks secret; for docker the image, for systemd the unit, for supervisor the program. */
  command: prose(4_096),
  port: z.int().min(1).max(65_535).optional(),
  /** Where `[redacted]` stands in it, only the host's own agent can ask it. */
  healthCheckUrl: Url.optional(),
  environmentNames: z.array(EnvironmentName).max(MAX_ENVIRONMENT_NAMES),
  /** `target`: a service of this host, or `<host>/<service>`. */
  dependencies: z
    .array(z.object({ target: DependencyTarget, condition: DependencyCondition.catch('ready') }))
    .max(MAX_DEPENDENCIES),
  autoRestart: z.boolean(),
  maxRestarts: Count,
  restartDelayMs: Amount,
  job: z.boolean(),
  system: z.boolean(),
  instances: z.int().min(0).max(MAX_INSTANCES),
  labels: Labels,
  /** Changes when anything in the configuration does. Made with a secret of the host: nothing can be guessed from it. */
  specHash: ShortText,
});
export type ServiceSpecEntry = z.infer<typeof ServiceSpecEntry>;
