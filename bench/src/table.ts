/** Reports as text: one table, then what each measure includes. Pure. */
import { type Finding, judge, type MeasureReport, ratioOf, type Unit } from './finding.ts';

/** Where and how the figures were taken. */
export interface Surroundings {
  readonly nodeVersion: string;
  readonly kernel: string;
  readonly cores: number;
  readonly cpuModel: string;
  readonly memoryBytes: number;
  /** Load average of the last minute when the run began. */
  readonly load1: number;
  readonly natsServer: string;
  readonly peer: string;
  readonly isQuick: boolean;
}

const HEADER = ['measure', 'ours', 'peer', 'ratio', 'goal', ''] as const;
const RIGHT_ALIGNED = new Set([1, 2, 3]);

export function renderReports(reports: readonly MeasureReport[], surroundings: Surroundings): string {
  const taken = reports.filter((report) => report.kind === 'taken');
  const lines = taken.flatMap(({ findings }) => findings.map(cellsOf));
  return [
    ...describeSurroundings(surroundings),
    '',
    ...renderTable([[...HEADER], ...lines]),
    '',
    ...taken.flatMap(({ name, includes, counts, findings, leftOut }) => [
      `${name}: ${includes} (${counts})`,
      ...leftOut.map((what) => `  left out: ${what}`),
      ...findings.filter((finding) => judge(finding) === 'missed').map(explainMiss),
    ]),
    ...reports.flatMap((report) => (report.kind === 'failed' ? [`${report.name}: not taken: ${report.reason}`] : [])),
    '',
    summarize(reports),
  ].join('\n');
}

function describeSurroundings(around: Surroundings): string[] {
  const { nodeVersion, kernel, cores, cpuModel, memoryBytes, load1, natsServer, peer, isQuick } = around;
  const gigabytes = (memoryBytes / 1e9).toFixed(0);
  const isBusy = load1 > cores / 2;
  return [
    `Node ${nodeVersion} · ${cores} cores (${cpuModel}), ${gigabytes} GB · Linux ${kernel} · ${natsServer} · ${peer}`,
    ...(isQuick ? ['quick run: few rounds, percentiles are rough'] : []),
    ...(isBusy ? [`the machine was busy (load ${load1.toFixed(1)}): trust the ratios, not the absolute figures`] : []),
  ];
}

function cellsOf(finding: Finding): string[] {
  const { what, unit, ours, peer } = finding;
  const ratio = ratioOf(finding);
  const verdict = judge(finding);
  return [
    what,
    formatAmount(ours, unit),
    peer === undefined ? '–' : `${formatAmount(peer.value, unit)} ${peer.name}`,
    ratio === undefined ? '–' : `${ratio.toFixed(2)}×`,
    formatGoal(finding),
    verdict === 'shown' ? '' : verdict,
  ];
}

function explainMiss({ what, limitedBy }: Finding): string {
  return `  missed: ${what.trim()}: ${limitedBy ?? 'not expected: look for what has changed'}`;
}

function formatGoal({ goal, unit }: Finding): string {
  if (goal === undefined) return '';
  return goal.kind === 'at-most' ? `≤ ${formatAmount(goal.value, unit)}` : `≤ ${goal.ratio}× peer`;
}

function formatAmount(value: number, unit: Unit): string {
  const digits = Number.isInteger(value) || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return unit === '' ? value.toFixed(digits) : `${value.toFixed(digits)} ${unit}`;
}

function renderTable(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const render = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return RIGHT_ALIGNED.has(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  const [header = [], ...body] = rows;
  return [render(header), widths.map((width) => '─'.repeat(width)).join('──'), ...body.map(render)];
}

function summarize(reports: readonly MeasureReport[]): string {
  const verdicts = reports.flatMap((report) => (report.kind === 'taken' ? report.findings.map(judge) : []));
  const count = (verdict: string): number => verdicts.filter((one) => one === verdict).length;
  const failed = reports.filter(({ kind }) => kind === 'failed').length;
  return [
    `goals: ${count('met')} met, ${count('missed')} missed`,
    ...(count('no peer') > 0 ? [`${count('no peer')} without their peer`] : []),
    ...(failed > 0 ? [`${failed} ${failed === 1 ? 'measure' : 'measures'} not taken`] : []),
  ].join(', ');
}
