import type { BusOptions } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import { CONTROL_LINE_BYTES, type Identity, mintKeys } from '@muster/contracts/keys';
import { type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';

/** A server without keys takes these credentials as well, once their first line fits. */
export const WITHOUT_KEYS = { config: `max_control_line: ${CONTROL_LINE_BYTES}` };

/** Credentials for some identities, as whom tests open a bus. */
export class TestIdentities implements AsyncDisposable {
  readonly environment: string;
  readonly #directory: TemporaryDirectory;

  static async mint(environment: string, identities: readonly Identity[]): Promise<TestIdentities> {
    const directory = await temporaryDirectory();
    await mintKeys({ directory: directory.path, environment, identities });
    return new TestIdentities(environment, directory);
  }

  private constructor(environment: string, directory: TemporaryDirectory) {
    this.environment = environment;
    this.#directory = directory;
  }

  /** Who a bus is opened as. */
  as(identity: Identity): Pick<BusOptions, 'environment' | 'role' | 'id' | 'credentialsFile'> {
    const { role, id } = identity;
    return {
      environment: this.environment,
      role,
      id,
      credentialsFile: credentialsFile(this.#directory.path, identity),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory[Symbol.asyncDispose]();
  }
}
