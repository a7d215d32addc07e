import { proberJsonSchema } from './config.ts';

/* Prints the JSON Schema of prober.yaml, for editors: `npm run schemas -w packages/health-prober` keeps it in config/schema. */
process.stdout.write(`${JSON.stringify(proberJsonSchema(), undefined, 2)}\n`);
