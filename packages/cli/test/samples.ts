import {
  type AgentPresence,
  type AlertEvent,
  alertFingerprint,
  type ComponentEvent,
  type InstanceEvent,
  type InstanceStatus,
  type Verdict,
} from '@muster/contracts';

/* Valid messages with the fields of a test's choosing. */

const TIME = '2026-11-23T10:00:00.000Z';
/** Unix milliseconds, 5 min after every sample's time. */
export const NOW_MS = Date.parse(TIME) + 5 * 60_000;

export function instanceStatus(fields: Partial<InstanceStatus> = {}): InstanceStatus {
  return {
    id: '01939a00-0000-7000-8000-000000000001',
    time: TIME,
    source: 'agent/web1',
    epoch: 1,
    seq: 1,
    host: 'web1',
    service: 'rag-api',
    instance: 0,
    generation: 1,
    state: 'running',
    ready: 'yes',
    desired: 'up',
    reason: 'started',
    causes: [],
    changedAt: TIME,
    restarts: 0,
    restartBudget: 10,
    restartWindowMs: 600_000,
    system: false,
    ...fields,
  };
}

export function instanceEvent(fields: Partial<InstanceEvent> = {}): InstanceEvent {
  return {
    id: '01939a00-0000-7000-8000-000000000002',
    time: TIME,
    source: 'agent/web1',
    epoch: 1,
    seq: 1,
    host: 'web1',
    service: 'rag-api',
    instance: 0,
    generation: 1,
    from: 'starting',
    to: 'running',
    ready: 'unknown',
    desired: 'up',
    reason: 'started',
    causes: [],
    ...fields,
  };
}

export function hostPresence(fields: Partial<AgentPresence> = {}): AgentPresence {
  return {
    id: '01939a00-0000-7000-8000-000000000005',
    time: TIME,
    source: 'agent/web1',
    epoch: 1,
    seq: 1,
    version: '1.0.0',
    uptimeSeconds: 60,
    eventLoopLagMs: 0,
    host: 'web1',
    agentId: 'a',
    bootId: 'b',
    networkNamespace: '1',
    monotonicMs: 60_000,
    keysDigest: '',
    services: 1,
    backlog: 0,
    ...fields,
  };
}

/** Of a prober itself. */
export function componentEvent(): ComponentEvent {
  return {
    id: '01939a00-0000-7000-8000-000000000006',
    time: TIME,
    source: 'prober/main',
    epoch: 1,
    seq: 1,
    kind: 'lease-won',
    reason: 'judges from now on',
    causes: [],
  };
}

export function verdict(fields: Partial<Verdict> = {}): Verdict {
  return {
    id: '01939a00-0000-7000-8000-000000000003',
    time: TIME,
    source: 'prober/main',
    epoch: 1,
    seq: 1,
    host: 'web1',
    service: 'rag-api',
    instance: 0,
    generation: 1,
    verdict: 'healthy',
    hardness: 'hard',
    attempt: 1,
    maxAttempts: 3,
    reason: 'answers in 12 ms',
    changedAt: TIME,
    votes: [],
    causes: [],
    ...fields,
  };
}

export function alertEvent(fields: Partial<AlertEvent['data']> = {}): AlertEvent {
  const data: AlertEvent['data'] = {
    state: 'firing',
    severity: 'critical',
    host: 'web1',
    service: 'rag-api',
    rule: 'failed',
    fingerprint: 'web1/rag-api/failed',
    summary: 'rag-api on web1 has failed',
    reason: 'restart budget spent: 10 of 10 in 10 min',
    startsAt: TIME,
    instances: [0],
    causes: [],
    history: [],
    labels: {},
    ...fields,
  };
  data.fingerprint = alertFingerprint(data.host, data.service, data.rule);
  return {
    specversion: '1.0',
    id: `01939a00-0000-7000-8000-000000000004-${data.state}`,
    source: 'prober/main',
    type: `io.muster.alert.${data.state}`,
    subject: data.fingerprint,
    time: TIME,
    datacontenttype: 'application/json',
    epoch: 1,
    seq: 1,
    data,
  };
}
