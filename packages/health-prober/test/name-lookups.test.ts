import { expect, test } from 'vitest';
import { NameLookups } from '../src/runtime/name-lookups.ts';

/** A name server that answers when it is told to. */
class NameServer {
  readonly asked: string[] = [];
  readonly #answers = new Map<string, () => void>();

  readonly lookup = (name: string) =>
    new Promise<{ address: string; family: number }[]>((resolve) => {
      this.asked.push(name);
      this.#answers.set(name, () => resolve([{ address: '10.0.0.7', family: 4 }]));
    });

  answer(name: string): void {
    this.#answers.get(name)?.();
  }
}

const patient = () => AbortSignal.timeout(30_000);

test('names of one host that nobody answers for leave the others their lookups', async () => {
  const server = new NameServer();
  const lookups = new NameLookups(server.lookup);
  const all = ['a', 'b', 'c', 'd'].map((name) => lookups.addressesOf('thief', name, patient()));
  const honest = lookups.addressesOf('web1', 'api', patient());
  await expect.poll(() => server.asked).toEqual(['a', 'b', 'api']);
  server.answer('api');
  expect(await honest).toEqual([{ address: '10.0.0.7', family: 4 }]);
  for (const name of ['a', 'b', 'c', 'd']) {
    await expect.poll(() => server.asked).toContain(name);
    server.answer(name);
  }
  await Promise.all(all);
  expect(server.asked).toEqual(['a', 'b', 'api', 'c', 'd']);
});

test('whoever gives up while waiting is not looked up, and a thread that is still held is not given away', async () => {
  const server = new NameServer();
  const lookups = new NameLookups(server.lookup);
  const gone = new AbortController();
  const held = ['a', 'b'].map((name) => lookups.addressesOf('web1', name, gone.signal));
  const waiting = lookups.addressesOf('web1', 'c', gone.signal);
  gone.abort(new Error('the time is up'));
  await expect(waiting).rejects.toThrow('the time is up');
  const next = lookups.addressesOf('web1', 'd', patient());
  await expect.poll(() => server.asked).toEqual(['a', 'b']);
  server.answer('a');
  await expect.poll(() => server.asked).toEqual(['a', 'b', 'd']);
  server.answer('b');
  server.answer('d');
  await Promise.all([...held, next]);
});
