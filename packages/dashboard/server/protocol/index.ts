export * from './frames.ts';
export * from './merge-patch.ts';
export * from './page.ts';
