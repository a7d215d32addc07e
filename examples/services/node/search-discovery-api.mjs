/** Finds documents by words: `GET /api/search?q=restart+service`. */
import { serve } from './serve.mjs';

const DOCUMENTS = [
  { id: 'restart-policy', text: 'A service that exits is started again, with a growing pause between tries' },
  { id: 'health-checks', text: 'A health check asks a service over HTTP whether it can do its work' },
  { id: 'dependencies', text: 'A service waits until the services it depends on are ready' },
  { id: 'alerts', text: 'An alert tells people about a service that needs them' },
  { id: 'metrics', text: 'Metrics show what a host and its services use over time' },
];

serve({
  name: 'search-discovery-api',
  version: '1.0.0',
  defaultPort: 8000,
  routes: {
    'GET /api/search': (url) => {
      const query = url.searchParams.get('q') ?? '';
      return { body: { query, results: search(query) } };
    },
  },
});

/**
 * @param {string} query
 * @returns the documents that contain at least one word of the query, best first
 */
function search(query) {
  const words = query.toLowerCase().split(/\W+/).filter(Boolean);
  return DOCUMENTS.map(({ id, text }) => ({
    id,
    text,
    score: words.filter((word) => text.toLowerCase().includes(word)).length,
  }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);
}
