import type {
  AgentPresence,
  AlertEvent,
  HostMetrics,
  InstanceStatus,
  ProbeReport,
  ProberPresence,
  ServiceSpecEntry,
  Verdict,
} from '@muster/contracts';

/** Builders of valid messages for tests: everything has a default, the test names what matters. */

export const NOW = '2026-11-23T12:00:00.000Z';

/** RFC 3339, `seconds` before NOW. */
export function ago(seconds: number): string {
  return new Date(Date.parse(NOW) - seconds * 1_000).toISOString();
}

const envelope = (source: string, seq = 1) => ({ id: `${source}-${seq}`, time: NOW, source, epoch: 1, seq });

export function hostHeartbeat(host: string, changes: Partial<AgentPresence> = {}): AgentPresence {
  return {
    ...envelope(`agent/${host}`),
    version: '0.1.0',
    uptimeSeconds: 4_000,
    eventLoopLagMs: 1,
    host,
    agentId: `agent-${host}`,
    bootId: 'boot',
    networkNamespace: '4026531840',
    monotonicMs: 1,
    keysDigest: 'digest',
    services: 1,
    backlog: 0,
    ...changes,
  };
}

export function proberHeartbeat(prober: string, changes: Partial<ProberPresence> = {}): ProberPresence {
  return {
    ...envelope(`prober/${prober}`),
    version: '0.1.0',
    uptimeSeconds: 4_000,
    eventLoopLagMs: 1,
    prober,
    targets: 3,
    leading: true,
    ...changes,
  };
}

export function status(host: string, service: string, changes: Partial<InstanceStatus> = {}): InstanceStatus {
  return {
    ...envelope(`agent/${host}`),
    host,
    service,
    instance: 0,
    generation: 1,
    state: 'running',
    ready: 'yes',
    desired: 'up',
    reason: 'ready after 0.8 s: /api/health answered 200',
    causes: [],
    changedAt: ago(190),
    restarts: 0,
    restartBudget: 10,
    restartWindowMs: 600_000,
    system: false,
    ...changes,
  };
}

export function spec(host: string, service: string, changes: Partial<ServiceSpecEntry> = {}): ServiceSpecEntry {
  return {
    ...envelope(`agent/${host}`),
    host,
    service,
    type: 'process',
    command: `node ${service}.js`,
    environmentNames: [],
    dependencies: [],
    autoRestart: true,
    maxRestarts: 10,
    restartDelayMs: 0,
    job: false,
    system: false,
    instances: 1,
    labels: {},
    specHash: 'hash',
    ...changes,
  };
}

export function verdict(host: string, service: string, changes: Partial<Verdict> = {}): Verdict {
  return {
    ...envelope('prober/main'),
    host,
    service,
    instance: 0,
    generation: 1,
    verdict: 'healthy',
    hardness: 'hard',
    attempt: 1,
    maxAttempts: 3,
    reason: '1 of 1 vantages reach it',
    changedAt: ago(180),
    votes: [],
    causes: [],
    ...changes,
  };
}

export function probe(host: string, service: string, changes: Partial<ProbeReport> = {}): ProbeReport {
  return {
    ...envelope('prober/main'),
    host,
    service,
    instance: 0,
    generation: 1,
    vantage: { kind: 'prober', id: 'main' },
    purpose: 'external',
    protocol: 'http',
    status: 'up',
    durationMs: 12,
    ...changes,
  };
}

export function metrics(host: string, changes: Partial<HostMetrics> = {}): HostMetrics {
  return {
    ...envelope(`agent/${host}`),
    host,
    part: 0,
    parts: 1,
    intervalMs: 10_000,
    sample: {
      cpuRatio: 0.31,
      cores: [0, 1, 2, 3].map(() => ({ userRatio: 0.2, systemRatio: 0.1, iowaitRatio: 0.01, stealRatio: 0 })),
      load1: 1.24,
      load5: 1.1,
      load15: 0.9,
      memoryTotalBytes: 16 * 1024 ** 3,
      memoryAvailableBytes: 9.6 * 1024 ** 3,
      swapTotalBytes: 0,
      swapFreeBytes: 0,
      mounts: [],
      disks: [],
      nics: [],
      uptimeSeconds: 400_000,
      processCount: 212,
    },
    services: [],
    ...changes,
  };
}

export function alert(
  host: string,
  service: string,
  rule: string,
  changes: Partial<AlertEvent['data']> = {},
): AlertEvent {
  const fingerprint = `${host}/${service}/${rule}`;
  const data: AlertEvent['data'] = {
    state: 'firing',
    severity: 'critical',
    host,
    service,
    rule,
    fingerprint,
    summary: `${service} on ${host} is down`,
    reason: 'its restart budget is spent: 10 restarts in 10 min',
    startsAt: ago(95),
    instances: [0],
    causes: [],
    history: [],
    labels: {},
    ...changes,
  };
  return {
    specversion: '1.0',
    id: `alert-${fingerprint}-${data.state}`,
    source: 'prober/main',
    type: `io.muster.alert.${data.state}`,
    subject: fingerprint,
    time: NOW,
    datacontenttype: 'application/json',
    epoch: 1,
    seq: 1,
    data,
  };
}
