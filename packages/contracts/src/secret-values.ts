import { REDACTED, redact } from './redact.ts';
import { isSecretName } from './secret-name.ts';

const MIN_CHARS = 6;
/** Under a name that says so. Shorter ones would take apart every sentence. */
const MIN_CHARS_NAMED = 4;

/** What many are called: taking it out hides nothing and spoils sentences. */
const PLAIN_WORDS = new Set(
  (
    'production staging development testing default localhost warning notice critical verbose enabled disabled required ' +
    'info debug error trace silent simple standard disable always asyncio unknown'
  ).split(' '),
);

/**
 * Finds, wherever they stand in a text, the values of an environment that have to stay on their host: all but what is short
 * or plainly no secret (numbers, places in the file system, addresses without a password). `undefined`: there are none.
 */
export function secretValues(environment: Iterable<readonly [name: string, value: string]>): RegExp | undefined {
  const found = new Set<string>();
  for (const [name, value] of environment) {
    const isNamed = isSecretName(name);
    for (const part of [value.trim(), ...value.split(/\r?\n/).map((line) => line.trim())]) {
      if (part.length < (isNamed ? MIN_CHARS_NAMED : MIN_CHARS)) continue;
      if (isNamed ? /^(?:true|false|none|null)$/i.test(part) : isPlain(part)) continue;
      // As it stands in an address and in JSON.
      for (const form of [part, encodeSafely(part), JSON.stringify(part).slice(1, -1)]) {
        if (!REDACTED.includes(form)) found.add(form);
      }
    }
  }
  if (found.size === 0) return undefined;
  // The longest first, for one may begin as another does. A word counts as a whole word only.
  const forms = [...found]
    .sort((a, b) => b.length - a.length)
    .map((form) => {
      const literal = form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
      return /^[A-Za-z]+$/.test(form) ? `(?<![A-Za-z])${literal}(?![A-Za-z])` : literal;
    });
  return new RegExp(forms.join('|'), 'g');
}

function encodeSafely(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return text; // a lone surrogate
  }
}

function isPlain(value: string): boolean {
  if (PLAIN_WORDS.has(value.toLowerCase())) return true;
  if (/^[-+]?\d{1,12}(?:[.,:]\d{1,12})*(?:ms|s|m|h|d|k|ki|kb|kib|m|mi|mb|mib|g|gi|gb|gib|%)?$/i.test(value))
    return true;
  if (/^[a-z]{2}_[A-Z]{2}(?:\.[A-Za-z0-9-]+)?$/.test(value) || /^[A-Z][a-z]+\/[A-Z][A-Za-z_]+$/.test(value))
    return true;
  const isPath = /^(?:~|\.{1,2})?(?:\/[\w.@+-]*)+(?::(?:~|\.{1,2})?(?:\/[\w.@+-]*)+)*$/.test(value);
  const isAddress =
    /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:\/[\w./-]*)?$/i.test(
      value,
    );
  return (isPath || isAddress) && redact(value) === value;
}
