import type { Asker } from '@muster/contracts';

/** Does what the dashboard granted to the person behind this question cover a service with these labels? */
export function isForService({ person }: Asker, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(person?.labels ?? {});
  return wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value);
}

/** Does it cover the host as a whole, whatever runs there? */
export function isForWholeHost({ person }: Asker): boolean {
  return Object.keys(person?.labels ?? {}).length === 0;
}

/** What a person who was granted some services is told of others. */
export function whyOutOfScope({ person }: Asker, what: string): string {
  const labels = Object.entries(person?.labels ?? {}).map(([name, value]) => `${name}=${value}`);
  return `${person?.who ?? 'this person'} is granted services with ${labels.join(', ')} only, not ${what}`;
}
