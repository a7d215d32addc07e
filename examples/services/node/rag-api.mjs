/**
 * Answers a question from what search-discovery-api finds: `GET /api/answer?q=what+is+an+alert`. It cannot work without that service,
 * whose address is SEARCH_URL.
 */
import { serve } from './serve.mjs';

const SEARCH_URL = process.env.SEARCH_URL ?? 'http://127.0.0.1:8000';
const SEARCH_TIMEOUT_MS = 2_000;

serve({
  name: 'rag-api',
  version: '1.0.0',
  defaultPort: 8001,
  routes: {
    'GET /api/answer': async (url) => {
      const question = url.searchParams.get('q') ?? '';
      try {
        const sources = await search(question);
        const answer = sources.map(({ text }) => text).join('. ') || 'Nothing is known about that';
        return { body: { question, answer, sources: sources.map(({ id }) => id) } };
      } catch (error) {
        return { status: 502, body: { error: `cannot search at ${SEARCH_URL}: ${String(error)}` } };
      }
    },
  },
});

/**
 * @param {string} query
 * @returns {Promise<{ id: string, text: string }[]>} the best two
 * @throws when search-discovery-api is away, slow or unwell
 */
async function search(query) {
  const response = await fetch(`${SEARCH_URL}/api/search?q=${encodeURIComponent(query)}`, {
    signal: AbortSignal.timeout(SEARCH_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const { results } = /** @type {{ results: { id: string, text: string }[] }} */ (await response.json());
  return results.slice(0, 2);
}
