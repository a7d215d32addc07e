#!/usr/bin/env node
import { cpus, loadavg, release, totalmem } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
/** The benchmark as a program: arguments, one measure after the other, the table. */
import { messageOf } from '@muster/contracts';
import { findNatsServer } from '@muster/testkit';
import { judge, type MeasureReport, ratioOf } from './finding.ts';
import type { BenchContext, Measure } from './measure.ts';
import { alert } from './measures/alert.ts';
import { away } from './measures/away.ts';
import { bucket } from './measures/bucket.ts';
import { command } from './measures/command.ts';
import { crash } from './measures/crash.ts';
import { fleet } from './measures/fleet.ts';
import { fold } from './measures/fold.ts';
import { history } from './measures/history.ts';
import { logs } from './measures/logs.ts';
import { memory } from './measures/memory.ts';
import { page } from './measures/page.ts';
import { publish } from './measures/publish.ts';
import { start } from './measures/start.ts';
import { storage } from './measures/storage.ts';
import { takeover } from './measures/takeover.ts';
import { thief } from './measures/thief.ts';
import { tick } from './measures/tick.ts';
import { findPm2, type PeerProgram, PM2_VERSION } from './pm2.ts';
import { EXIT, runProgram, UsageError } from './program.ts';
import { run } from './run.ts';
import { renderReports, type Surroundings } from './table.ts';

const MEASURES: readonly Measure[] = [
  crash,
  start,
  memory,
  tick,
  takeover,
  logs,
  alert,
  page,
  fold,
  publish,
  command,
  history,
  storage,
  bucket,
  away,
  fleet,
  thief,
];

const HELP = `Usage: npm run bench -- [options]

Measures Muster and, in the same run, PM2 ${PM2_VERSION}, and prints one table with ratios. Takes about sixteen minutes.

  --only NAME     take this measure only; may be repeated: ${MEASURES.map(({ name }) => name).join(', ')}
  --services N    how many services are supervised where there are many (default 100)
  --before DIR    another checkout, built, to compare with in the measures that can
  --quick         few rounds and short waits
  --json          print JSON instead of the table
  -h, --help      print this

PM2 is installed by npm into .muster/bench at the first run; without it the peer's columns stay empty.
Exit codes: 0 all measures were taken (met or missed), 1 some could not be taken, 2 wrong use.
`;

const DEFAULT_SERVICES = 100;

interface Options {
  readonly measures: readonly Measure[];
  readonly services: number;
  readonly beforeDir?: string;
  readonly isQuick: boolean;
  readonly isJson: boolean;
}

function readOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true },
      services: { type: 'string' },
      before: { type: 'string' },
      quick: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return 'help';
  const services = Number(values.services ?? DEFAULT_SERVICES);
  if (!Number.isInteger(services) || services < 1 || services > 1_000) {
    throw new UsageError(`--services is '${values.services}'; write a whole number from 1 to 1000`);
  }
  const unknown = values.only?.find((name) => MEASURES.every((measure) => measure.name !== name));
  if (unknown !== undefined) {
    throw new UsageError(`--only is '${unknown}'; write one of ${MEASURES.map(({ name }) => name).join(', ')}`);
  }
  return {
    measures: MEASURES.filter(({ name }) => values.only?.includes(name) ?? true),
    services,
    ...(values.before !== undefined && { beforeDir: path.resolve(values.before) }),
    isQuick: values.quick === true,
    isJson: values.json === true,
  };
}

async function takeAll({ measures }: Options, context: BenchContext): Promise<MeasureReport[]> {
  const reports: MeasureReport[] = [];
  for (const { name, includes, run } of measures) {
    try {
      const { counts, findings, leftOut = [] } = await run(context);
      reports.push({ kind: 'taken', name, includes, counts, findings, leftOut });
    } catch (error) {
      context.signal.throwIfAborted();
      reports.push({ kind: 'failed', name, reason: messageOf(error) });
    }
  }
  return reports;
}

async function lookAround({ isQuick, pm2, signal }: BenchContext): Promise<Surroundings> {
  const [cpu] = cpus();
  const [load1 = 0] = loadavg();
  const natsServer = await run(await findNatsServer(), ['--version'], { signal });
  return {
    nodeVersion: process.versions.node,
    kernel: release(),
    cores: cpus().length,
    cpuModel: cpu?.model.trim() ?? 'unknown',
    memoryBytes: totalmem(),
    load1,
    natsServer: natsServer.trim(),
    peer: describePeer(pm2),
    isQuick,
  };
}

function describePeer(pm2: PeerProgram): string {
  return pm2.kind === 'found' ? `PM2 ${PM2_VERSION}` : pm2.reason;
}

function toJson(reports: readonly MeasureReport[], surroundings: Surroundings): string {
  const judged = reports.map((report) =>
    report.kind === 'failed'
      ? report
      : {
          ...report,
          findings: report.findings.map((one) => ({ ...one, ratio: ratioOf(one), verdict: judge(one) })),
        },
  );
  return JSON.stringify({ surroundings, reports: judged }, undefined, 2);
}

async function main(options: Options, signal: AbortSignal): Promise<number> {
  const rootDir = path.resolve(import.meta.dirname, '../..');
  const context: BenchContext = {
    ...options,
    rootDir,
    pm2: await findPm2(rootDir, signal),
    signal,
    say: (text) => void process.stderr.write(`${text}\n`),
  };
  const surroundings = await lookAround(context);
  const reports = await takeAll(options, context);
  const render = options.isJson ? toJson : renderReports;
  process.stdout.write(`${render(reports, surroundings)}\n`);
  return reports.some(({ kind }) => kind === 'failed') ? EXIT.failed : EXIT.ok;
}

await runProgram({ name: 'benchmark', help: HELP }, async (signal) => {
  const options = readOptions(process.argv.slice(2));
  if (options !== 'help') return main(options, signal);
  process.stdout.write(HELP);
  return EXIT.ok;
});
