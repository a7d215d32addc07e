/** The longest that a server says of a publish, an error of it included. */
const MAX_BYTES = 400;
const WORDS = new Set(['stream', 'seq', 'domain', 'duplicate', 'error', 'type', 'val', 'batch', 'count']);

/** Is it what a server answers to a publish? Such a body can be aimed at any subject, by whoever may publish anything. */
export function isAcknowledgement(body: Uint8Array): boolean {
  if (body.length > MAX_BYTES) return false;
  try {
    const said: unknown = JSON.parse(new TextDecoder().decode(body));
    if (typeof said !== 'object' || said === null) return false;
    const words = Object.keys(said);
    return (words.includes('stream') || words.includes('error')) && words.every((word) => WORDS.has(word));
  } catch {
    return false;
  }
}
