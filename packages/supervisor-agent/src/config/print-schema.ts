import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { servicesJsonSchema } from '@muster/contracts/config';
import { agentJsonSchema } from './agent-config.ts';

/*
 * Writes the JSON Schemas of the configuration files, for editors: `npm run schemas -w packages/supervisor-agent`.
 * The argument is the folder to write into.
 */
const folder = process.argv[2];
if (folder === undefined) {
  process.stderr.write('usage: print-schema <folder>\n');
  process.exitCode = 2;
} else {
  const schemas = { services: servicesJsonSchema(), agent: agentJsonSchema() };
  for (const [name, schema] of Object.entries(schemas)) {
    writeFileSync(join(folder, `${name}.schema.json`), `${JSON.stringify(schema, undefined, 2)}\n`);
  }
}
