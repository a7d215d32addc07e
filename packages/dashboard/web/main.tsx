import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { connect } from './api/socket.ts';
import { App } from './app.tsx';
import { Store } from './state/store.ts';

const root = document.getElementById('root');
if (root === null) throw new Error('cannot start the page: index.html has no element #root');

const store = new Store(performance.now());
connect(store, window.location.origin);
createRoot(root).render(
  <StrictMode>
    <App store={store} />
  </StrictMode>,
);
