/*
 * What the doc comments of the schemas say, so that the documents say the same.
 *
 * The sources are read as text: they are laid out by the formatter, so a comment stands right above what it is about.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const DECLARATION = /^(?:export )?const (\w+)(?:: [^=]+)? = (?:(\w+)\.(?:extend|catchall)\()?/;
const MIXIN = /^\s+\.\.\.(\w+)\.shape,$/;
const FIELD = /^\s+'?([\w-]+)'?: /;

interface Declaration {
  text: string | undefined;
  readonly fields: Map<string, string>;
  /** The declarations it takes fields from. */
  readonly from: string[];
}

/** The doc comments of all declarations below a folder of sources. */
export class DocComments {
  readonly #declarations = new Map<string, Declaration>();

  constructor(folder: string) {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
    for (const name of names) {
      if (name.endsWith('.ts') && !name.endsWith('.test.ts')) this.#read(readFileSync(join(folder, name), 'utf8'));
    }
  }

  isDeclared(name: string): boolean {
    return this.#declarations.has(name);
  }

  /** Of a declaration itself. */
  of(name: string): string | undefined {
    return this.#declarations.get(name)?.text;
  }

  /** Of a field, where the declaration, or one that it takes fields from, has a comment on it. */
  ofField(name: string, field: string): string | undefined {
    const declaration = this.#declarations.get(name);
    if (declaration === undefined) return undefined;
    const own = declaration.fields.get(field);
    return own ?? declaration.from.map((parent) => this.ofField(parent, field)).find((text) => text !== undefined);
  }

  #read(source: string): void {
    let comment: string[] | undefined;
    let isOpen = false;
    let current: Declaration | undefined;
    for (const line of source.split('\n')) {
      const text = line.trim();
      if (isOpen || text.startsWith('/**')) {
        if (!isOpen) comment = [];
        comment?.push(
          text
            .replace(/^\/\*\*|^\*(?!\/)/, '')
            .replace(/\*\/$/, '')
            .trim(),
        );
        isOpen = !text.endsWith('*/');
        continue;
      }
      const said = comment?.filter((part) => part !== '').join(' ');
      comment = undefined;
      const [, name, parent] = DECLARATION.exec(line) ?? [];
      if (name !== undefined) {
        current = { text: said, fields: new Map(), from: parent === undefined ? [] : [parent] };
        this.#declarations.set(name, current);
        continue;
      }
      const [, mixin] = MIXIN.exec(line) ?? [];
      if (mixin !== undefined) current?.from.push(mixin);
      const [, field] = FIELD.exec(line) ?? [];
      if (field !== undefined && said !== undefined) current?.fields.set(field, said);
    }
  }
}
