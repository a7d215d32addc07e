/*
 * scripts/bundle.mjs copies this file to `bundle/main.js` of each program, where it runs `main.cjs` beside it. It gives V8 what V8
 * has compiled before, because compiling takes more than half of the time of loading. V8 rejects what another Node has compiled,
 * and compiles anew.
 *
 * It fetches Node's own modules with `getBuiltinModule`, because an `import` reads each of their properties, and one of them builds
 * lists of root certificates that nobody here needs.
 */
const { readFileSync, writeFileSync } = process.getBuiltinModule('node:fs');
const { createRequire } = process.getBuiltinModule('node:module');
const path = process.getBuiltinModule('node:path');
const vm = process.getBuiltinModule('node:vm');

const folder = import.meta.dirname;
const require = createRequire(import.meta.url);
/** @type {Map<string, { exports: object, script: import('node:vm').Script }>} */
const chunks = new Map();

/** @param {string} name */
function load(name) {
  const known = chunks.get(name);
  if (known !== undefined) return known.exports;
  const filename = path.join(folder, name);
  const cachedData = readIfAny(`${filename}.cache`);
  const source = readFileSync(filename, 'latin1');
  const script = new vm.Script(source, { filename, ...(cachedData !== undefined && { cachedData }) });
  const chunk = { exports: {}, script };
  chunks.set(name, chunk);
  const requireIn = (/** @type {string} */ id) => (id.startsWith('./') ? load(id.slice(2)) : require(id));
  script.runInThisContext()(chunk.exports, requireIn, chunk, filename, folder);
  return chunk.exports;
}

/** @param {string} file */
function readIfAny(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

// Set by scripts/bundle.mjs only. At the end, when all that a start runs has been compiled.
if (process.env['MUSTER_WRITE_CODE_CACHE'] === '1') {
  process.once('exit', () => {
    for (const [name, { script }] of chunks) {
      writeFileSync(path.join(folder, `${name}.cache`), script.createCachedData());
    }
  });
}

load('main.cjs');
