import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DICTIONARY } from '../bus/dictionary.ts';
import { asyncApiYaml } from './asyncapi.ts';
import { DocComments } from './doc-comments.ts';
import { type JsonSchema, schemaBundle, typeDefinitions } from './json-schemas.ts';
import { protocolMarkdown } from './protocol.ts';
import { signatureVectors } from './vectors.ts';
import { describeWire, documentsOf } from './wire.ts';

/** src/reference and dist/reference are two folders below the package, whose sources and golden messages are read. */
const PACKAGE_DIR = join(import.meta.dirname, '../..');

/** What other versions can rely on of one version: its messages, and what its readers accept. */
export interface FrozenVersion {
  /** By the golden file. */
  readonly messages: Readonly<Record<string, { readonly type: string; readonly message: Record<string, unknown> }>>;
  readonly $defs: Readonly<Record<string, JsonSchema>>;
}

/** The documents of the wire, by their names below docs/. */
export function generateDocuments(): Readonly<Record<string, string>> {
  const wire = describeWire();
  const docs = new DocComments(join(PACKAGE_DIR, 'src'));
  return {
    'asyncapi.yaml': asyncApiYaml(wire, docs, readGolden),
    'schemas/muster.v1.json': `${JSON.stringify(schemaBundle(wire, docs), undefined, 2)}\n`,
    'schemas/deflate-dictionary.json': `${JSON.stringify({ base64: DICTIONARY.toString('base64') })}\n`,
    'schemas/signature-vectors.json': `${JSON.stringify(signatureVectors(readGolden), undefined, 2)}\n`,
    'protocol.md': protocolMarkdown(wire, docs, readGolden),
  };
}

/** The wire of today, to be kept. What `isLeftOut` is of kinds that no program of this version sends yet. */
export function freeze(isLeftOut: (golden: string) => boolean): FrozenVersion {
  const wire = describeWire();
  const documents = documentsOf(wire).filter(({ golden }) => !isLeftOut(golden));
  return {
    messages: Object.fromEntries(
      documents.map(({ golden, type }) => [
        golden,
        { type, message: JSON.parse(readGolden(golden)) as Record<string, unknown> },
      ]),
    ),
    $defs: typeDefinitions(wire, '#/$defs/', new DocComments(join(PACKAGE_DIR, 'src'))),
  };
}

function readGolden(file: string): string {
  return readFileSync(join(PACKAGE_DIR, 'golden/v1', `${file}.json`), 'utf8');
}
