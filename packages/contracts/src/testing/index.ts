export { TestBus } from './test-bus.ts';
