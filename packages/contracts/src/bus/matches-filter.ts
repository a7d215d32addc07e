/** Is `subject` one that `filter` asks for? `*` stands for one token, a last `>` for one or more. */
export function matchesFilter(filter: string, subject: string): boolean {
  const wanted = filter.split('.');
  const tokens = subject.split('.');
  for (const [i, want] of wanted.entries()) {
    if (want === '>') return tokens.length > i;
    if (i >= tokens.length || (want !== '*' && want !== tokens[i])) return false;
  }
  return tokens.length === wanted.length;
}
