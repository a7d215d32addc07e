import { dashboardJsonSchema } from './config.ts';

/* Prints the JSON Schema of dashboard.yaml, for editors: `npm run schemas -w packages/dashboard` keeps it in config/schema. */
process.stdout.write(`${JSON.stringify(dashboardJsonSchema(), undefined, 2)}\n`);
