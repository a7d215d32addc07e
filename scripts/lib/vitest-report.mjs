/**
 * A vitest reporter that writes what `npm test` counts into the file named by `MUSTER_TEST_REPORT`. vitest's own JSON report drops the
 * reason of a skip, and hides a failed hook behind tests that merely did not run.
 *
 * The rule it enforces: a test that cannot run here says why, with `context.skip(condition, 'reason')`. A skip without a reason fails.
 */
import { writeFileSync } from 'node:fs';

/**
 * @typedef {object} TestReport
 * @property {number} passed
 * @property {Entry[]} failed
 * @property {Entry[]} skipped
 */

/**
 * @typedef {object} Entry
 * @property {string} name file and full name
 * @property {string} reason one line
 */

/** @typedef {import('vitest/node').Reporter} Reporter */

/** @implements {Reporter} */
export default class CountingReporter {
  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly { message: string }[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const file = process.env.MUSTER_TEST_REPORT;
    if (file) writeFileSync(file, JSON.stringify(summarise(modules, unhandledErrors)));
  }
}

/**
 * @param {readonly import('vitest/node').TestModule[]} modules
 * @param {readonly { message: string }[]} unhandledErrors
 * @returns {TestReport}
 */
function summarise(modules, unhandledErrors) {
  /** @type {TestReport} */
  const report = {
    passed: 0,
    failed: unhandledErrors.map(({ message }) => ({ name: 'outside of any test', reason: firstLine(message) })),
    skipped: [],
  };
  for (const module of modules) {
    for (const suite of [module, ...module.children.allSuites()]) {
      const name = suite.type === 'module' ? suite.relativeModuleId : `${module.relativeModuleId} > ${suite.fullName}`;
      for (const { message } of suite.errors()) report.failed.push({ name, reason: firstLine(message) });
    }
    for (const test of module.children.allTests()) count(test, report);
  }
  return report;
}

/**
 * @param {import('vitest/node').TestCase} test
 * @param {TestReport} report
 */
function count(test, report) {
  const name = `${test.module.relativeModuleId} > ${test.fullName}`;
  const result = test.result();
  switch (result.state) {
    case 'passed':
      report.passed += 1;
      break;
    case 'failed':
      report.failed.push({ name, reason: firstLine(result.errors[0]?.message ?? 'no reason given') });
      break;
    case 'skipped':
      if (result.note) report.skipped.push({ name, reason: result.note });
      else report.failed.push({ name, reason: explainSilentSkip(test) });
      break;
    case 'pending':
      report.failed.push({ name, reason: 'never finished' });
  }
}

/** @param {import('vitest/node').TestCase} test */
function explainSilentSkip(test) {
  for (let suite = test.parent; ; suite = suite.parent) {
    if (suite.errors().length > 0) return 'not run: a hook of its suite failed';
    if (suite.type === 'module') return "skipped without a reason: use context.skip(condition, 'reason')";
  }
}

/** @param {string} message */
function firstLine(message) {
  return message.split('\n', 1)[0] ?? '';
}
