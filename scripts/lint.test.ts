import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const rootDir = fileURLToPath(new URL('..', import.meta.url));

/** Each line is one thing that pure code must not do. */
const IMPURE = [
  "import 'fs';",
  "import 'node:fs';",
  "import 'node:fs/promises';",
  "import 'node:timers/promises';",
  "import 'timers/promises';",
  "import 'execa';",
  "import '@nats-io/transport-node';",
  "import '@muster/contracts/bus';",
  "import '@muster/probes';",
  "export * from './../program.ts';",
  "export const late = () => import('node:os');",
  'export const a = Date.now();',
  'export const b = globalThis.Date.now();',
  'export const c = globalThis.setTimeout(() => {}, 1);',
  'export const d = global.process;',
  'export const e = crypto.randomUUID();',
  'export const f = Math.random();',
  'export const g = performance.now();',
  'export const h = process.pid;',
  'export const i = setTimeout(() => {}, 1);',
  'export const j = AbortSignal.timeout(1);',
  'export const k = await fetch("http://localhost/");',
  'console.log(1);',
];
const CORE = "import '../program.ts';\nimport '../config/agent-config.ts';";
const PLANTED: Readonly<Record<string, string>> = {
  'packages/supervisor-agent/src/core/planted.ts': [...IMPURE, CORE, 'export const l = new Date();'].join('\n'),
  'packages/supervisor-agent/src/core/rows/planted.ts': [...IMPURE, "import '../../program.ts';"].join('\n'),
  'packages/supervisor-agent/src/log/planted.ts': "import '../runtime/agent.ts';\nimport '@nats-io/transport-node';",
  'packages/health-prober/src/core/planted.ts': [...IMPURE, CORE].join('\n'),
  'packages/contracts/src/plain/planted.js': "import 'yaml';\nimport '../ids.js';",
  'packages/dashboard/server/view/planted.ts': [...IMPURE, "import '../app.ts';"].join('\n'),
};
const PURE: Readonly<Record<string, string>> = {
  'packages/supervisor-agent/src/core/pure.ts': "import '@muster/contracts';\nimport './rows/pure.ts';",
  'packages/supervisor-agent/src/core/rows/pure.ts': "import '../pure.ts';\nimport './planted.ts';",
  'packages/supervisor-agent/src/core/pure.test.ts': "import 'vitest';\nexport const now = Date.now();",
  'packages/supervisor-agent/src/log/pure.ts': "import '../state/instance-store.ts';\nimport 'node:fs';",
  'packages/contracts/src/plain/pure.js': "import 'node:fs';\nimport './planted.js';",
  'packages/dashboard/server/view/pure.ts':
    "import './planted.ts';\nimport '../protocol/page.ts';\nexport const at = Date.parse('2026-01-01T00:00:00Z');",
};

interface Finding {
  readonly code: string;
  readonly filename: string;
  readonly labels: readonly { readonly span: { readonly line: number } }[];
}

let dir: string;
let restricted: readonly Finding[];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'muster-lint-'));
  await copyFile(join(rootDir, '.oxlintrc.json'), join(dir, '.oxlintrc.json'));
  for (const [file, text] of Object.entries({ ...PLANTED, ...PURE })) {
    await mkdir(join(dir, dirname(file)), { recursive: true });
    await writeFile(join(dir, file), `${text}\n`);
  }
  const output = await new Promise<string>((settle) => {
    const oxlint = join(rootDir, 'node_modules/.bin/oxlint');
    execFile(oxlint, ['--format=json', '.'], { cwd: dir }, (_error, stdout) => settle(stdout));
  });
  const { diagnostics } = JSON.parse(output) as { diagnostics: readonly Finding[] };
  restricted = diagnostics.filter(({ code }) => code.includes('no-restricted'));
});
afterAll(() => rm(dir, { recursive: true }));

test.each(Object.entries(PLANTED))('what is impure in %s is reported', (file, text) => {
  const lines = new Set(
    restricted.filter(({ filename }) => filename === file).map(({ labels }) => labels[0]?.span.line),
  );
  expect(text.split('\n').filter((_, index) => !lines.has(index + 1))).toEqual([]);
});

test.each(Object.keys(PURE))('%s, which is pure, is left alone', (file) => {
  expect(restricted.filter(({ filename }) => filename === file)).toEqual([]);
});
