/**
 * To be imported before anything that makes a schema, for each schema asks when it is made: an agent reads and writes few
 * messages, and compiling each schema would cost its start more than it ever gives back.
 */
import { z } from 'zod';

z.config({ jitless: true });
