import type { Diagnostic } from './diagnostic.ts';
import { CHECK_KINDS, checksIn } from './probe-checks.ts';
import type { ServiceEntry } from './schema.ts';
import type { DependencySpec, ProbeKind, ProbeSpec, ServiceSpec } from './service-spec.ts';
import type { Path, YamlSource } from './yaml-source.ts';

/** The checks that need two values of one service. Empty when `toSpec` may be called. */
export function findContradictions(source: YamlSource, entry: ServiceEntry, path: Path): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const report = (below: Path, problem: string, remedy: string): void => {
    const place = source.placeOf([...path, ...below]);
    diagnostics.push({ file: source.file, ...place, problem: `service '${entry.name}': ${problem}`, remedy });
  };

  const takesName = entry.type === 'docker' || entry.type === 'systemd' || entry.type === 'supervisor';
  if (takesName && typeof entry.command !== 'string') {
    report(['command'], `'command' is a list, but type ${entry.type} takes one name`, 'write it as one string');
  }

  for (const kind of PROBE_KINDS) {
    const probe = entry.probes[kind];
    if (probe === undefined) continue;
    const at = ['probes', kind];
    const name = at.join('.');
    const checks = checksIn(probe, entry.port);
    if (checks.length !== 1) {
      const found = checks.length === 0 ? `neither ${CHECK_KINDS.join(' nor ')}` : `both ${CHECK_KINDS.join(' and ')}`;
      report(at, `'${name}' has ${found}`, 'write exactly one of the two');
    }
    for (const { kind: check, contradictions } of checks) {
      for (const { field = [], problem, remedy } of contradictions) {
        report([...at, check].concat(field), `'${name}.${check}' ${problem}`, remedy);
      }
    }
    if (kind !== 'readiness' && probe.success_threshold !== 1) {
      const at1 = [...at, 'success_threshold'];
      report(at1, `'${at1.join('.')}' is ${probe.success_threshold}`, `write 1: a ${kind} probe needs one success`);
    }
  }
  return diagnostics;
}

const PROBE_KINDS = ['startup', 'readiness', 'liveness'] as const satisfies readonly ProbeKind[];

/** Fills in what follows from the rest. The entry is free of contradictions. */
export function toSpec(entry: ServiceEntry, host: string | undefined): ServiceSpec {
  const isFastapi = entry.type === 'fastapi';
  const healthCheckUrl =
    entry.health_check_url ??
    (isFastapi && entry.port !== undefined ? `http://127.0.0.1:${entry.port}/api/health` : undefined);
  const environment = stringValues(entry.environment);
  return {
    name: entry.name,
    type: entry.type,
    command: entry.command,
    ...(entry.working_directory !== undefined && { workingDirectory: entry.working_directory }),
    ...(entry.port !== undefined && { port: entry.port }),
    ...(healthCheckUrl !== undefined && { healthCheckUrl }),
    environment: isFastapi && entry.port !== undefined ? { PORT: String(entry.port), ...environment } : environment,
    envFiles: typeof entry.env_file === 'string' ? [entry.env_file] : (entry.env_file ?? []),
    dependencies: entry.dependencies.map((dependency) => toDependency(dependency, host)),
    autoRestart: entry.auto_restart,
    maxRestarts: entry.max_restarts,
    ...(entry.restart_delay !== undefined && { restartDelayMs: entry.restart_delay }),
    stopSignal: entry.stop_signal,
    stopTimeoutMs: entry.stop_timeout,
    job: entry.job,
    probes: { ...(healthCheckUrl !== undefined && probesOfUrl(healthCheckUrl)), ...ownProbes(entry) },
    labels: stringValues(entry.labels),
    logs: { ship: entry.logs.ship, rateBytesPerSecond: entry.logs.rate, burstBytes: entry.logs.burst },
    slowRetry: entry.slow_retry,
  };
}

function stringValues(map: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, String(value)]));
}

function toDependency(dependency: ServiceEntry['dependencies'][number], ownHost: string | undefined): DependencySpec {
  const { service: written, condition } =
    typeof dependency === 'string' ? { service: dependency, condition: 'ready' as const } : dependency;
  const slash = written.indexOf('/');
  const host = slash === -1 ? undefined : written.slice(0, slash);
  const service = written.slice(slash + 1);
  return host === undefined || host === ownHost ? { service, condition } : { host, service, condition };
}

/**
 * `health_check_url` alone means all three. It asks often while the service starts, so that it is ready soon after it can
 * answer, and gives a slow starter two minutes.
 */
function probesOfUrl(url: string): { [K in ProbeKind]: ProbeSpec } {
  const usual: ProbeSpec = {
    check: { kind: 'http', url },
    initialDelayMs: 0,
    periodMs: 10_000,
    timeoutMs: 1_000,
    successThreshold: 1,
    failureThreshold: 3,
  };
  return { startup: { ...usual, periodMs: 1_000, failureThreshold: 120 }, readiness: usual, liveness: usual };
}

function ownProbes(entry: ServiceEntry): { [K in ProbeKind]?: ProbeSpec } {
  const probes: { [K in ProbeKind]?: ProbeSpec } = {};
  for (const kind of PROBE_KINDS) {
    const probe = entry.probes[kind];
    const check = probe && checksIn(probe, entry.port)[0]?.check;
    if (probe === undefined || check === undefined) continue;
    probes[kind] = {
      check,
      initialDelayMs: probe.initial_delay,
      periodMs: probe.period,
      timeoutMs: probe.timeout,
      successThreshold: probe.success_threshold,
      failureThreshold: probe.failure_threshold,
    };
  }
  return probes;
}
