import { proberJsonSchema } from './config.ts';

/* Prints the JSON Schema of prober.yaml, for editors: see `npm run schemas -w packages/health-prober`. */
process.stdout.write(`${JSON.stringify(proberJsonSchema(), undefined, 2)}\n`);
