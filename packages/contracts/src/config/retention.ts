/**
 * How long and how much each stream keeps: `bus.retention` of agent.yaml. The agent refuses what is wrong in it with the rest
 * of its file; `muster bus setup`, which makes the streams so, reads it alone.
 */
import { z } from 'zod';
import { type RetentionChanges, STREAM_NAMES, type StreamName } from '../streams.ts';
import { byPlace, type Diagnostic } from './diagnostic.ts';
import { strictMap } from './schema.ts';
import { checkShape } from './shape.ts';
import { measure, parseAge, parseSize } from './units.ts';
import { parseYaml } from './yaml-source.ts';

/** The server remembers message ids for two minutes, and for no longer than it keeps messages. */
const MIN_AGE_SECONDS = 120;
const MAX_AGE_SECONDS = 100 * 365 * 86_400;
const MIN_SIZE_BYTES = 1024 ** 2;
const MAX_SIZE_BYTES = 1024 ** 5;

const AGE_RULE = 'write an age from 2 minutes to 100 years, such as "12h", "30d" or "1y"';
const SIZE_RULE = 'write a size from 1 MiB to 1 PiB, such as "512MiB" or "2GiB"';

const Age = measure(AGE_RULE, parseAge, MIN_AGE_SECONDS, MAX_AGE_SECONDS);
const Size = measure(SIZE_RULE, parseSize, MIN_SIZE_BYTES, MAX_SIZE_BYTES);

const StreamRetention = strictMap(
  { age: Age.optional(), size: Size.optional() },
  'write {age: 30d, size: 2GiB}, or one of them',
).optional();

/** Streams are named as in YAML: `rollup_1m`. */
export const RetentionMap = strictMap(
  {
    events: StreamRetention,
    audit: StreamRetention,
    logs: StreamRetention,
    probes: StreamRetention,
    alerts: StreamRetention,
    rollup_1m: StreamRetention,
    rollup_15m: StreamRetention,
    rollup_2h: StreamRetention,
  } satisfies Record<YamlName<StreamName>, typeof StreamRetention>,
  'write a map of streams, such as rollup_1m: {age: 30d, size: 2GiB}',
);

type YamlName<Name extends string> = Name extends `${infer Family}-${infer Tier}` ? `${Family}_${Tier}` : Name;

/** Only what is read here: the rest of agent.yaml is the agent's. */
const AgentFile = z.looseObject({ bus: z.looseObject({ retention: RetentionMap.optional() }).nullish() }).nullish();

export type RetentionReading = { readonly retention: RetentionChanges } | { readonly errors: readonly Diagnostic[] };

/** What agent.yaml changes of the defaults. Never throws; `fileName` is only for the diagnostics. */
export function readRetention(text: string, fileName: string): RetentionReading {
  const { source, errors: syntaxErrors } = parseYaml(text, fileName);
  if (source === undefined) return { errors: syntaxErrors };
  const shape = checkShape(source, source.value ?? {}, {
    schema: AgentFile,
    nameOf: (path) => ({ section: '', rest: path }),
    synonyms: { max_age: 'age', maxage: 'age', max_bytes: 'size', bytes: 'size' },
    isSecret: () => false,
  });
  const errors = [...syntaxErrors, ...shape.errors].sort(byPlace);
  if (errors.length > 0) return { errors };
  const written = shape.value?.bus?.retention ?? {};
  const changes = STREAM_NAMES.flatMap((stream) => {
    const { age, size } = written[yamlName(stream)] ?? {};
    const change = { ...(age !== undefined && { maxAgeSeconds: age }), ...(size !== undefined && { maxBytes: size }) };
    return Object.keys(change).length === 0 ? [] : [[stream, change] as const];
  });
  return { retention: Object.fromEntries(changes) };
}

function yamlName<Name extends StreamName>(stream: Name): YamlName<Name> {
  return stream.replace('-', '_') as YamlName<Name>;
}
