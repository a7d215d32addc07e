/** Where a key that is being replaced waits until it is dropped. */
export function oldFile(file: string): string {
  return `${file}.old`;
}
