/** How a run ended. `unknown` when nobody was left to see it: the shim was killed together with the agent. */
export type Exit =
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'unknown' };

/** For people: `exit code 1`, `killed by SIGKILL`, `exit code unknown`. */
export function describeExit(exit: Exit): string {
  switch (exit.kind) {
    case 'code':
      return `exit code ${exit.code}`;
    case 'signal':
      return `killed by ${exit.signal}`;
    case 'unknown':
      return 'exit code unknown';
  }
}

export function isSuccess(exit: Exit): boolean {
  return exit.kind === 'code' && exit.code === 0;
}
