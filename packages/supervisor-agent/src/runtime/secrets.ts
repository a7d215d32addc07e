/** What this host knows to be secret, so that nothing that leaves it says so. */
import { isSecretName, REDACTED, redact, redactCommand, secretValues } from '@muster/contracts';

/** A text as others may have it; of one service, or else of the host. */
export type Hide = (text: string, service?: string) => string;

/** Takes out what looks secret, where no values are known. */
export const hideByLooks: Hide = (text) => redact(text);

/** Values that a service had, also before its env_file changed: a reason may tell of an earlier run. */
const MAX_VALUES = 1_000;

interface Known {
  /** By value, the name that it has. */
  readonly names: Map<string, string>;
  values: RegExp | undefined;
  /** Those that its log must not tell either. */
  printed: RegExp | undefined;
}

export class Secrets {
  readonly #services = new Map<string, Known>();
  #ofHost: RegExp | undefined;
  #isStale = false;

  /** These values the service is given. */
  note(service: string, environment: Readonly<Record<string, string>>): void {
    const known = this.#services.get(service) ?? {
      names: new Map<string, string>(),
      values: undefined,
      printed: undefined,
    };
    this.#services.set(service, known);
    const news = Object.entries(environment).filter(([name, value]) => known.names.get(value) !== name);
    if (news.length === 0) return;
    for (const [name, value] of news) known.names.set(value, name);
    for (const value of [...known.names.keys()].slice(0, -MAX_VALUES)) known.names.delete(value);
    known.values = secretValues(pairsOf(known));
    known.printed = secretValues(
      pairsOf(known).filter(([name, value]) => isSecretName(name) || redact(value) !== value),
    );
    this.#isStale = true;
  }

  readonly hide: Hide = (text, service) => redact(text, this.#valuesOf(service));

  /** For the lines of a service: they are its own words, so only what is certainly secret is taken out of them. */
  maskOf(service: string): (text: string) => string {
    return (text) => {
      const printed = this.#services.get(service)?.printed;
      return printed === undefined ? text : text.replace(printed, REDACTED);
    };
  }

  commandOf(service: string, command: string | readonly string[]): string {
    return redactCommand(command, this.#valuesOf(service));
  }

  #valuesOf(service: string | undefined): RegExp | undefined {
    const known = service === undefined ? undefined : this.#services.get(service);
    if (known !== undefined) return known.values;
    if (this.#isStale) {
      this.#isStale = false;
      this.#ofHost = secretValues([...this.#services.values()].flatMap(pairsOf));
    }
    return this.#ofHost;
  }
}

function pairsOf({ names }: Known): [string, string][] {
  return [...names].map(([value, name]) => [name, value]);
}
