/*
 * What must not leave a host is taken out of texts here: of commands, addresses, reasons, log records. It goes by what stands
 * before a value (a name such as `--password`, a header, a user in an address) and by how a value looks (tokens of known
 * services, long random texts). docs/security.md says which, and what is left alone. Nothing here knows a configuration: the
 * values that a caller knows to be secret it hands over.
 */
import { printableJson } from './plain/printable.js';
import { isSecretName } from './secret-name.ts';

/** Stands where something was. */
export const REDACTED = '[redacted]';

/** Is something missing here? Such an address cannot be asked, nor such a command run. */
export function isRedacted(text: string): boolean {
  return text.includes(REDACTED);
}

const MAX_ROUNDS = 5;

/** A text without what looks secret, nor any of `values`. Of what is redacted already nothing more is taken. */
export function redact(text: string, values?: RegExp): string {
  let safe = values === undefined ? text : text.replace(values, REDACTED);
  // What has been taken out changes what stands beside what: once more, until nothing is found.
  for (let round = 0, before = ''; round < MAX_ROUNDS && before !== safe; round += 1) {
    before = safe;
    safe = redactOnce(safe);
  }
  return safe;
}

function redactOnce(text: string): string {
  let safe = text;
  // No secret is so short, and most texts say nothing of the kind.
  if (safe.length < 6) return safe;
  safe = safe.replace(PRIVATE_KEY, REDACTED);
  for (const shape of TOKENS) safe = safe.replace(shape, REDACTED);
  safe = safe.replace(HEADER, (whole, start: string, value: string) => (isDone(value) ? whole : start + REDACTED));
  safe = safe.replace(BEARER, (whole, start: string, value: string) =>
    /[A-Z\d]/.test(value) || value.length >= 20 ? start + REDACTED : whole,
  );
  safe = safe.replace(USER_IN_URL, hideUser);
  safe = safe.replace(USER_AND_HOST, (whole, start: string, value: string) =>
    isDone(value) ? whole : `${start}${REDACTED}@`,
  );
  safe = safe.replace(USER_OPTION, hideUserOption);
  safe = safe.replace(QUERY, hideNamed);
  safe = safe.replace(FIELD, hideNamed);
  safe = safe.replace(ASSIGNMENT, hideNamed);
  safe = safe.replace(OPTION, hideNamed);
  safe = hideShortOptions(safe);
  safe = safe.replace(LONG_RUN, hideIfRandom);
  return safe;
}

/**
 * A command as one line. Of a list each word is known as a whole, so a secret with spaces in it is, too.
 */
export function redactCommand(command: string | readonly string[], values?: RegExp): string {
  if (typeof command === 'string') return redact(command, values);
  const words = command.map((word, at) => {
    const before = command[at - 1] ?? '';
    const isValue = /^--?[A-Za-z]/.test(before) && !before.includes('=') && !word.startsWith('-');
    if (isValue && isSecretName(before) && !isOpen(word)) return REDACTED;
    if (isValue && /\s/.test(word) && before !== '-c') return redactWord(command[0] ?? '', before, word, values);
    // What a shell is given is many words.
    if (before === '-c') return redact(word, values);
    const equals = /^(-{0,2}[A-Za-z_][\w.-]*)=(.+)$/s.exec(word);
    if (equals?.[1] !== undefined && isSecretName(equals[1]) && !isOpen(equals[2] ?? ''))
      return `${equals[1]}=${REDACTED}`;
    return redact(word, values);
  });
  return redact(words.join(' '), values);
}

/** One with spaces: what `-p` or `-u` of this program is followed by is judged as if it had none. */
function redactWord(program: string, option: string, word: string, values: RegExp | undefined): string {
  const start = `${program} ${option} `;
  const judged = redact(start + word.replace(/\s/g, '_'));
  return judged.startsWith(start) && judged.endsWith(REDACTED) ? judged.slice(start.length) : redact(word, values);
}

/** All texts of a value, however deep; what a secret's name stands before is taken out whatever it looks like. */
export function redactDeep(value: unknown, hide: (text: string) => string = redact): unknown {
  if (typeof value === 'string') return hide(value);
  if (Array.isArray(value)) return value.map((item) => redactDeep(item, hide));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      // In our own records a `key` is a bucket's.
      typeof inner === 'string' && name !== 'key' && isSecretName(name) && !isOpen(inner)
        ? REDACTED
        : redactDeep(inner, hide),
    ]),
  );
}

/** A line of a program's own log, in JSON. What is no JSON is taken as a text. */
export function redactLogLine(line: string, hide: (text: string) => string = redact): string {
  try {
    return `${printableJson(redactDeep(JSON.parse(line), hide))}\n`;
  } catch {
    return hide(line);
  }
}

/** As a shell takes one word: quotes may be anywhere in it, and one that is not closed takes the rest. */
const WORD = String.raw`(?:"(?:[^"\\]|\\[\s\S])*(?:"|$)|'[^']*(?:'|$)|\\[\s\S]|[^\s"'\\])+`;
const NAME = String.raw`[A-Za-z_][\w.-]{0,80}`;

const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
/** Of services that mark theirs, so that they can be found. */
const TOKENS: readonly RegExp[] = [
  /\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b/g,
  /\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|gl(?:pat|dt|rt|ptt)-[\w-]{16,})/g,
  /\bxox[abceoprs]-[\w-]{8,}|\bxapp-[\w-]{8,}/g,
  /\b[srp]k_(?:live|test)_\w{8,}/g,
  /\bsk-[\w-]{16,}/g,
  /\bAIza[\w-]{30,}|\bya29\.[\w-]{10,}/g,
  /\b(?:npm|hf|dop_v1|doo_v1|figd|lin_api|pat|secret)_[A-Za-z0-9]{20,}/g,
  /\bpypi-[\w-]{16,}|\bdckr_pat_[\w-]{16,}|\bhv[sbr]\.[\w-]{16,}|\bSG\.[\w-]{10,}\.[\w-]{10,}/g,
  /\beyJ[\w-]{6,4000}\.[\w-]{6,}(?:\.[\w-]*)?/g,
  /\bAGE-SECRET-KEY-1[A-Z0-9]{20,}/g,
  // A seed of an nkey.
  /\bS[UAONCX][A-Z2-7]{56}\b/g,
  /(?<=hooks\.slack\.com\/(?:services|workflows)\/)[\w/-]{8,}/g,
  /(?<=discord(?:app)?\.com\/api\/webhooks\/)[\w/-]{8,}/g,
  /(?<=api\.telegram\.org\/bot)[\w:-]{8,}|\b\d{8,10}:[\w-]{35}\b/g,
];
/** `Authorization: Bearer …` and `Cookie: …`, up to the end of their text. */
const HEADER =
  /(\b(?:proxy-)?authorization\\*["']?\s*[:=]\s*\\*["']?|\b(?:set-)?cookie\\*["']?\s*:\s*\\*["']?)([^\s"'\\][^"'\\\r\n]*)/gi;
const BEARER = /(\bbearer\s+)([\w.~+/=-]{8,})/gi;
/** `scheme://user:password@`, and `scheme://token@`. */
const USER_IN_URL = /\b([a-z][a-z0-9+.-]{1,20}:\/\/)([^\s/?#"'<>]*)@/gi;
/** `user:password@host` without a scheme; an image's `name:tag@sha256:…` is none. */
const USER_AND_HOST = /(?<![^\s"'=,(])([A-Za-z_][\w.%+-]{0,80}:)([^\s@/"':][^\s@/"']*)@(?=[A-Za-z0-9[])(?!sha\d{3}:)/g;
/** curl's way. */
const USER_OPTION = new RegExp(String.raw`((?<![^\s"'])(?:-u|--(?:proxy-)?user)(?:\s+|=))(${WORD})`, 'g');
const QUERY = new RegExp(String.raw`([?&;#])(${NAME})(=)([^&;#\s"'<>]+)`, 'g');
/** `name: value`, and `"name":"value"` of JSON. */
const FIELD = new RegExp(
  String.raw`(?<![\w./-])()(${NAME})(\\*["']?\s*:\s*)(\\*"(?:[^"\\]|\\[\s\S])*(?:"|$)|'[^']*(?:'|$)|\[redacted\]|[^\s"',;}\]]+)`,
  'g',
);
const ASSIGNMENT = new RegExp(String.raw`(?<![\w.-])(-{0,2})(${NAME})(\\*["']?\s?=\s?)(${WORD})`, 'g');
const OPTION = new RegExp(String.raw`(?<![\w.-])(--?)(${NAME})(["']?,?\s+)(?!-)(${WORD})`, 'g');
/** `-p secret` and `-psecret`. */
const SHORT_OPTION = new RegExp(String.raw`(?<![^\s"'])(-[pPaw])(\s*)(?![-\s])(${WORD})`, 'g');
const LONG_RUN = /(?<![\w+/.-])[A-Za-z0-9+/_-]{20,}={0,2}(?![\w+/=])/g;

function isDone(value: string): boolean {
  return value.replace(/^[\\"']+/, '').startsWith(REDACTED);
}

/** A value that says nothing secret: a place in the file system, a variable that is put in later, a switch. */
function isOpen(value: string): boolean {
  const bare = value.replace(/^["']|["']$/g, '');
  return (
    bare === '' ||
    isDone(value) ||
    /^(?:true|false|yes|no|on|off|none|null|undefined)$/i.test(bare) ||
    /^\$(?:\w+|\{\w+\}|\(.*\))$/.test(bare) ||
    (/^[\w.@+-]+\.(?:creds|pem|key|crt|cert|env|json|ya?ml|nk|jwt|p12)$/.test(bare) && !isRandom(bare)) ||
    (/^(?:~|\.{1,2}|\/(?:etc|home|mnt|opt|private|proc|root|run|srv|tmp|usr|var|Users|dev|work|data|app|secrets))(?:\/[\w.@+-]+)+$/.test(
      bare,
    ) &&
      bare.split('/').every((part) => !isRandom(part)))
  );
}

const SENTENCE_WORDS =
  /^(?:or|and|to|is|are|with|for|in|of|the|an?|as|from|instead|must|needs?|was|has|names?|says?|does|cannot|here|again)[,.;:]?$/;

function hideNamed(whole: string, dashes: string, name: string, between: string, value: string): string {
  if (isOpen(value) || !isSecretName(name)) return whole;
  // In a sentence about options (`correct --creds or …`) another word follows.
  if (dashes !== '' && /^\s+$/.test(between) && SENTENCE_WORDS.test(value)) return whole;
  // In a sentence (`token expired: …`) the word after the colon is no value, unless it is quoted or looks like one.
  if (/^\s*:\s+$/.test(between) && /^(?:[A-Z]?[a-z]{1,20}|E[A-Z]{3,15})$/.test(value) && !/pass|pw|secret/i.test(name))
    return whole;
  const quote = /^\\*["']/.exec(value)?.[0] ?? '';
  const isClosed = quote !== '' && value.length > quote.length && value.endsWith(quote);
  return `${dashes}${name}${between}${isClosed ? quote + REDACTED + quote : REDACTED}`;
}

function hideUser(whole: string, scheme: string, user: string): string {
  const colon = user.indexOf(':');
  if (colon !== -1) return isDone(user.slice(colon + 1)) ? whole : `${scheme}${user.slice(0, colon)}:${REDACTED}@`;
  return !isDone(user) && user.length >= 12 && /\d/.test(user) ? `${scheme}${REDACTED}@` : whole;
}

function hideUserOption(whole: string, option: string, value: string): string {
  const colon = value.indexOf(':');
  if (colon === -1 || isDone(value.slice(colon + 1)) || /^["']?\d+:\d+["']?$/.test(value)) return whole;
  return `${option}${value.slice(0, colon + 1)}${REDACTED}`;
}

/** Programs whose `-p`, `-P`, `-a` or `-w` takes no secret. */
const WITHOUT_PASSWORD =
  /(?:^|[\s/])(?:mkdir|cp|mv|rm|ls|rsync|tar|install|ps|pgrep|pkill|lsof|nc|ss|ssh|scp|sftp|docker run|podman run|docker exec|test|read|pytest|cargo|grep|wc|cat|ping|date|uname|git|node|python[\d.]*|gunicorn|celery|make|xargs|iptables|netstat|df|du|tee|watch|taskset|gcc)\b/;
/** Of these the value may stand right behind the letter. */
const WITH_PASSWORD = /(?:^|[\s/])(?:mysql\w*|mariadb[\w-]*|sshpass|redis-cli|valkey-cli|mongo\w*|ldap\w+|smbclient)\b/;

function hideShortOptions(text: string): string {
  return text.replace(SHORT_OPTION, (whole, option: string, space: string, value: string, at: number) => {
    const command = /[^;&|()\n`"']*$/.exec(text.slice(Math.max(0, at - 400), at))?.[0] ?? '';
    const isKnown = WITH_PASSWORD.test(command);
    const isPort = /^["']?[\d.:/,-]+(?:tcp|udp)?["']?$/.test(value) && !isKnown;
    if (isOpen(value) || isPort || /^[/.~]/.test(value)) return whole;
    // Of a program that nobody knows only `-p secret` is one; `-print` and `-Wall` are words.
    if (!isKnown && (space === '' || option !== '-p' || command.trim() === '' || WITHOUT_PASSWORD.test(command)))
      return whole;
    return `${option}${space}${REDACTED}`;
  });
}

/** Names of what is public though it looks random: a revision, a digest, an id. */
const PUBLIC_CONTEXT =
  /(?:\b(?:rev|revision|commit|sha|sha1|sha256|sha512|digest|checksum|hash|etag|ref|refs|branch|tag|checkout|reset|show|image|run|boot|agent)(?:[-_](?:id|hash|sha))?["']?(?:\s*[=:@]\s*|\s+["']?|-)|@|\.git[#@])$/i;

function hideIfRandom(run: string, at: number, text: string): string {
  if (!isRandom(run)) return run;
  const isHex = /^[0-9a-f]{32,128}$/i.test(run) || /^sha\d+-/.test(run);
  return isHex && PUBLIC_CONTEXT.test(text.slice(Math.max(0, at - 40), at)) ? run : REDACTED;
}

/** Nobody has thought of such a text: long hexadecimal, or letters and digits without order. */
function isRandom(run: string): boolean {
  if (/^[0-9a-f]{32,}$/i.test(run)) return /\d/.test(run) && /[a-f]/i.test(run);
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(run)) return false;
  if (isMixed(run) && (/^[A-Za-z0-9/+]{40}$/.test(run) || /[+=]/.test(run)) && !/^[./]/.test(run) && run.length >= 24)
    return true;
  return run.split(/[/_-]/).some((part) => part.length >= 20 && isMixed(part) && changes(part) >= part.length / 4);
}

function isMixed(text: string): boolean {
  return /[a-z]/.test(text) && /[A-Z]/.test(text) && /\d/.test(text);
}

/** How often the kind of character changes: often in random texts, seldom in words. */
function changes(text: string): number {
  return text.match(/[a-z](?=[A-Z0-9])|[A-Z](?=[0-9])|[0-9](?=[A-Za-z])|[A-Z](?=[a-z])/g)?.length ?? 0;
}
