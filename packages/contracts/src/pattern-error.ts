/** An expression that cannot be used: which one, why, and what would do. */
export class PatternError extends Error {
  constructor(source: string, reason: string, options?: ErrorOptions) {
    super(`the expression '${source}' cannot be used: ${reason}`, options);
    this.name = 'PatternError';
  }
}
