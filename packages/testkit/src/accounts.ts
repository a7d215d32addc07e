export const isRoot = process.getuid?.() === 0;

/** The uid, and the gid, of an account that never runs the tests. */
export const NOBODY = 65_534;
