/*
 * Answers for what is on the host: all that a service has written, shipped or not. One request at a time, in slices: a
 * search through a large file must not keep the agent from its work.
 */
import {
  type AgentReply,
  type AgentRequest,
  type LogOffsets,
  type LogStream,
  logFilter,
  PatternError,
  searchedText,
} from '@muster/contracts';
import type { Pattern } from '@muster/contracts/pattern';
import { STREAMS } from './cursor.ts';
import { LogFile, lookAt } from './log-file.ts';
import { type Mask, maskLine } from './mask-line.ts';
import { type Found, type Scan, scanBackwards, scanOnwards } from './scan-lines.ts';
import type { Files } from './take-batch.ts';

export type HostLogPage = Pick<AgentReply<'logs'>, 'lines' | 'next'>;

/** Lines of one answer, as JSON: what else it says has room beside them. */
const MAX_LINES_BYTES = 448 * 1024;
/** How long the lines of one slice may keep the processor busy with an expression: all else of the agent waits. */
const MAX_SLICE_US = 250_000;
/** How long one request may look, whatever it finds. */
const MAX_LOOK_MS = 1_000;

let queue: Promise<unknown> = Promise.resolve();

/** @throws PatternError for an expression that won't do */
export function readHostLogs(
  files: Files,
  request: AgentRequest<'logs'>,
  mask: Mask = (text) => text,
): Promise<HostLogPage> {
  const page = queue.then(() => readPage(files, request, mask));
  queue = page.catch(() => {});
  return page;
}

async function readPage(files: Files, request: AgentRequest<'logs'>, mask: Mask): Promise<HostLogPage> {
  const isOnwards = request.from !== undefined;
  const startedAtMs = performance.now();
  const select = selectorOf(request, await patternOf(request), mask);
  const scans = new Map<LogStream, Scan & { readonly start: number; readonly size: number }>();
  for (const stream of STREAMS) {
    if (request.stream !== undefined && request.stream !== stream) continue;
    const look = lookAt(files[stream]);
    using file = look === undefined ? undefined : LogFile.open(files[stream], look.inode);
    if (look === undefined || file === undefined) continue;
    const options = {
      stream,
      path: files[stream],
      select,
      enough: request.lines,
      // As lines have it: in milliseconds, so that texts compare as times do.
      since: request.since && new Date(request.since).toISOString(),
      isOver: () => performance.now() - startedAtMs > MAX_LOOK_MS,
    };
    const asked = isOnwards ? request.from?.[stream] : request.before?.[stream];
    const start = Math.min(asked ?? look.size, look.size);
    const scan = isOnwards
      ? await scanOnwards(file, start, look.size, options)
      : await scanBackwards(file, start, options);
    scans.set(stream, { ...scan, start, size: look.size });
  }
  const chosen = choose([...scans.values()], request.lines, isOnwards);
  const next: LogOffsets = { stdout: 0, stderr: 0 };
  let isMore = false;
  for (const [stream, { found, reached, start, size }] of scans) {
    const own = chosen.filter(({ line }) => line.stream === stream);
    const isAllChosen = own.length === found.length;
    const edge = isOnwards ? own.at(-1)?.end : own[0]?.line.offset;
    next[stream] = isAllChosen ? reached : (edge ?? start);
    isMore ||= isOnwards ? next[stream] < size : next[stream] > 0;
  }
  return { lines: chosen.map(({ line }) => line), ...(isMore && { next }) };
}

/** Its library is loaded by the first request that needs it. @throws PatternError */
async function patternOf({ regex }: AgentRequest<'logs'>): Promise<Pattern | undefined> {
  if (regex === undefined) return undefined;
  const { Pattern } = await import('@muster/contracts/pattern');
  return new Pattern(regex);
}

function selectorOf(
  { level, text, since, until }: AgentRequest<'logs'>,
  pattern: Pattern | undefined,
  mask: Mask,
): (lines: readonly Found[]) => readonly Found[] {
  const isWanted = logFilter({
    level,
    text,
    ...(since !== undefined && { since: new Date(since) }),
    ...(until !== undefined && { until: new Date(until) }),
  });
  return (found) => {
    // Before anything is looked for: whether it is found would tell what it is.
    const lines = found.map((one) => ({ ...one, line: maskLine(one.line, mask) }));
    const wanted = lines.filter(({ line, time }) => isWanted({ ...line, time }));
    return pattern === undefined ? wanted : linesWith(pattern, wanted);
  };
}

/** @throws PatternError when looking takes so long that the agent's other work would wait */
function linesWith(pattern: Pattern, lines: readonly Found[]): readonly Found[] {
  // Time of the processor: on a busy machine most of what passes is others'.
  const before = process.cpuUsage();
  return lines.filter(({ line }) => {
    const { user, system } = process.cpuUsage(before);
    if (user + system > MAX_SLICE_US) {
      throw new PatternError(pattern.source, 'it takes too long on these lines: write a simpler one');
    }
    return pattern.test(searchedText(line));
  });
}

/**
 * As many as were asked for and fit: the last, or the first. Two files without times can't be brought into one order: then
 * each gets its share, one behind the other.
 */
function choose(scans: readonly Scan[], count: number, isOnwards: boolean): readonly Found[] {
  const perFile = scans.map(({ found }) => found).filter((found) => found.length > 0);
  const isTimed = perFile.every((found) => found.every(({ time }) => time !== undefined));
  const share = Math.ceil(count / Math.max(1, perFile.length));
  const spare = perFile.reduce((sum, found) => sum + Math.max(0, share - found.length), 0);
  const candidates = isTimed
    ? inOneOrder(perFile)
    : perFile.flatMap((found) => edgeOf(found, share + spare, isOnwards));
  let room = MAX_LINES_BYTES;
  const edge = edgeOf(candidates, count, isOnwards);
  const ordered = isOnwards ? edge : edge.toReversed();
  const fitting = ordered.findIndex(({ line }) => {
    room -= Buffer.byteLength(JSON.stringify(line)) + 1;
    return room < 0;
  });
  const taken = fitting === -1 ? ordered : ordered.slice(0, fitting);
  return isOnwards ? taken : taken.toReversed();
}

/** By time between the files, in its own order within each. */
function inOneOrder(perFile: readonly (readonly Found[])[]): readonly Found[] {
  const keyed = perFile.flatMap((found) => {
    let latest = '';
    return found.map((one) => {
      latest = (one.time ?? '') > latest ? (one.time ?? '') : latest;
      return { latest, one };
    });
  });
  return keyed.sort((a, b) => (a.latest < b.latest ? -1 : Number(a.latest > b.latest))).map(({ one }) => one);
}

function edgeOf<T>(values: readonly T[], count: number, isFirst: boolean): readonly T[] {
  return isFirst ? values.slice(0, count) : values.slice(-count);
}
