import { dashboardJsonSchema } from './config.ts';

/* Prints the JSON Schema of dashboard.yaml, for editors: see `npm run schemas -w packages/dashboard`. */
process.stdout.write(`${JSON.stringify(dashboardJsonSchema(), undefined, 2)}\n`);
