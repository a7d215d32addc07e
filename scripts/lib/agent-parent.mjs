/**
 * The agent's parent. It decides what a message, an exit or a Ctrl-C means; starting a process and printing are given to it.
 *
 *   running ──first signal──▶ stopping ──agent exits 0──▶ over (0)
 *      │ agent dies: started again after 0.2 s, 0.4 s … 5 s          │ third signal within 10 s of the second ──▶ over (1), services stay
 *      │ agent exits 3: configuration or environment refused ──▶ over (1)
 *
 * An agent that dies while stopping is started again too, and asked again to shut down: only an agent can stop the services.
 */

const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5_000;
/** An agent that lived this long was fine: its next crash is answered quickly again. */
const GOOD_RUN_MS = 30_000;
/** npm passes on the Ctrl-C that the terminal has sent already: what follows this closely is the same key press. */
const SAME_PRESS_MS = 300;
const LEAVE_WITHIN_MS = 10_000;
const MAX_CRASHES_WHILE_STOPPING = 5;
/** The agent's exit code for: this configuration or machine will not do, starting me again changes nothing. */
const REFUSED = 3;
const STILL_WAITING_AFTER_MS = 15_000;

/**
 * @typedef {{ type: 'state', services: Record<string, string> }
 *   | { type: 'ready', url: string }
 *   | { type: 'stopping', service: string, remaining: number }
 *   | { type: 'stopped' }} AgentMessage from the agent, over IPC
 */

/**
 * @typedef {object} AgentParentOptions
 * @property {() => import('node:child_process').ChildProcess} spawnAgent with an IPC channel, in a process group of its own
 * @property {import('./progress.mjs').Progress} progress
 * @property {(url: string) => void} onReady called each time an agent reports that all is up
 */

export class AgentParent {
  /** Settles once with the exit code of the launcher, and never rejects. @type {Promise<0 | 1>} */
  over;

  /** @type {AgentParentOptions} */
  #options;
  /** @type {(code: 0 | 1) => void} */
  #finish = () => {};
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #agent;
  #startedAtMs = 0;
  #crashesInARow = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #restartTimer;
  /** @type {NodeJS.Timeout} */
  #patienceTimer;
  #isStopping = false;
  #hasBeenReady = false;
  #hasSaidStopped = false;
  #signalCount = 0;
  #lastSignalAtMs = Number.NEGATIVE_INFINITY;
  /** Last heard state of each service. @type {Map<string, string>} */
  #services = new Map();

  /** @param {AgentParentOptions} options */
  constructor(options) {
    this.#options = options;
    this.over = new Promise((settle) => {
      this.#finish = settle;
    });
    this.#patienceTimer = setInterval(() => this.#sayWhatIsMissing(), STILL_WAITING_AFTER_MS);
    this.#start();
  }

  /** Ctrl-C, TERM or a closed terminal: they mean the same. */
  signal() {
    const nowMs = performance.now();
    const sinceLastMs = nowMs - this.#lastSignalAtMs;
    if (sinceLastMs < SAME_PRESS_MS) return;
    this.#lastSignalAtMs = nowMs;
    this.#signalCount += 1;
    if (this.#signalCount === 1) this.#stop();
    else if (this.#signalCount >= 3 && sinceLastMs <= LEAVE_WITHIN_MS) this.#leave();
    else this.#sayWhatIsWaitedFor();
  }

  #start() {
    this.#startedAtMs = performance.now();
    this.#hasSaidStopped = false;
    const agent = this.#options.spawnAgent();
    this.#agent = agent;
    agent.on('message', (message) => this.#onMessage(/** @type {AgentMessage} */ (message)));
    agent.once('error', (error) => this.#onEnd(null, null, error.message));
    agent.once('exit', (code, signal) => this.#onEnd(code, signal));
    if (this.#isStopping) this.#askToShutDown();
  }

  #stop() {
    this.#isStopping = true;
    this.#options.progress.say('Stopping everything, in reverse order (services first, the bus last)');
    if (this.#restartTimer) {
      clearTimeout(this.#restartTimer);
      this.#restartTimer = undefined;
      this.#start(); // which asks it to shut down
    } else {
      this.#askToShutDown();
    }
  }

  #askToShutDown() {
    // When the channel is closed already, this agent is about to exit, and its successor will be asked.
    this.#agent?.send({ type: 'shutdown' }, () => {});
  }

  /** @param {AgentMessage} message */
  #onMessage(message) {
    switch (message.type) {
      case 'state':
        this.#onServices(message.services);
        break;
      case 'ready':
        this.#options.progress.announce(`Muster ${this.#hasBeenReady ? 'runs again' : 'runs'}: ${message.url}`);
        if (!this.#hasBeenReady) this.#options.progress.say('Ctrl-C stops everything in order');
        this.#hasBeenReady = true;
        this.#options.onReady(message.url);
        break;
      case 'stopping':
        this.#services.set(message.service, 'stopping');
        this.#options.progress.done('stopping', `${message.service}, ${message.remaining} left`);
        break;
      case 'stopped':
        this.#hasSaidStopped = true;
        break;
      default:
      // A newer agent may say more than this launcher knows.
    }
  }

  /** @param {Record<string, string>} services */
  #onServices(services) {
    const isStarting = !this.#hasBeenReady && !this.#isStopping;
    for (const [service, state] of Object.entries(services)) {
      if (isStarting && this.#services.get(service) !== state && !isTransient(state)) {
        const isBad = state === 'failed' || state === 'orphaned';
        this.#options.progress[isBad ? 'failed' : 'done']('service', `${service}: ${state}`);
      }
    }
    this.#services = new Map(Object.entries(services));
  }

  /**
   * @param {number | null} code
   * @param {NodeJS.Signals | null} signal
   * @param {string} [spawnError]
   */
  #onEnd(code, signal, spawnError) {
    this.#agent
      ?.removeAllListeners('exit')
      .removeAllListeners('error')
      .on('error', () => {});
    this.#agent = undefined;
    if (code === REFUSED) return this.#end(1);
    if (this.#isStopping && (this.#hasSaidStopped || code === 0)) return this.#end(0);
    const how = spawnError ?? (signal ? `was ended by ${signal}` : `ended with code ${code}`);
    const { progress } = this.#options;
    this.#crashesInARow = performance.now() - this.#startedAtMs >= GOOD_RUN_MS ? 1 : this.#crashesInARow + 1;
    if (this.#isStopping && this.#crashesInARow > MAX_CRASHES_WHILE_STOPPING) {
      progress.failed('agent', `${how} while stopping, ${this.#crashesInARow} times: ${this.#describeLeftovers()}`);
      return this.#end(1);
    }
    const delayMs = backoffMs(this.#crashesInARow);
    progress.failed('agent', `${how}: its services go on, starting it again in ${delayMs / 1000} s`);
    this.#restartTimer = setTimeout(() => {
      this.#restartTimer = undefined;
      this.#start();
    }, delayMs);
  }

  #leave() {
    this.#options.progress.announce(`Leaving without waiting any longer: ${this.#describeLeftovers()}`);
    const agent = this.#agent;
    if (agent) {
      agent.removeAllListeners();
      agent.on('error', () => {});
      agent.stderr?.destroy();
      agent.disconnect();
      agent.unref();
    }
    this.#end(1);
  }

  /** @param {0 | 1} code */
  #end(code) {
    clearInterval(this.#patienceTimer);
    clearTimeout(this.#restartTimer);
    this.#finish(code);
  }

  #sayWhatIsWaitedFor() {
    this.#options.progress.say(
      `Still stopping: waiting for ${this.#listUnsettled()}. Press Ctrl-C again within ${LEAVE_WITHIN_MS / 1000} s to leave them running`,
    );
  }

  #sayWhatIsMissing() {
    if (this.#hasBeenReady && !this.#isStopping) return;
    this.#options.progress.say(
      `Still ${this.#isStopping ? 'stopping' : 'starting'}: waiting for ${this.#listUnsettled()}`,
    );
  }

  #describeLeftovers() {
    const agent = this.#agent?.pid === undefined ? '' : `, and the agent (pid ${this.#agent.pid})`;
    return `left running: ${this.#listUnsettled()}${agent}; \`npm start\` takes them over`;
  }

  #listUnsettled() {
    const names = [...this.#services]
      .filter(([, state]) => this.#isUnsettled(state))
      .map(([name, state]) => `${name} (${state})`);
    return names.length > 0 ? names.join(', ') : 'the agent';
  }

  /** @param {string} state */
  #isUnsettled(state) {
    return this.#isStopping ? !['stopped', 'completed', 'failed'].includes(state) : isTransient(state);
  }
}

/** @param {string} state */
function isTransient(state) {
  return ['pending', 'starting', 'stopping', 'backoff'].includes(state);
}

/** @param {number} crashesInARow 1 for the first */
export function backoffMs(crashesInARow) {
  return Math.min(FIRST_BACKOFF_MS * 2 ** (crashesInARow - 1), MAX_BACKOFF_MS);
}
