export function code(text: string): string {
  return `\`${text}\``;
}

/** To the section of a type or question of the same document. */
export function link(heading: string, text = heading): string {
  return `[${text}](#${heading.toLowerCase().replace(/[^a-z0-9_-]/g, '')})`;
}

/** Bars within cells are escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

/** Folded away, so that the tables stay within sight. */
export function foldedJson(title: string, texts: readonly string[]): string {
  const blocks = texts.map((text) => `\`\`\`json\n${text.trim()}\n\`\`\``);
  return ['<details>', `<summary>${title}</summary>`, '', blocks.join('\n\n'), '', '</details>'].join('\n');
}
