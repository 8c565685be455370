// What every test file needs: clients of korad, and a hand on the simulator behind it.

import OpenAI from 'openai';

const { KORAD_BASE_URL: baseURL, KORAD_KEY: apiKey, SIMULATOR_URL: simulator } = process.env;

export const MODELS = ['openai/gpt-4o', 'anthropic/claude-sonnet-4-5-20250929'];
export const MESSAGES = [
  { role: 'system', content: 'You are a helpful assistant.' },
  { role: 'user', content: 'Hello, world!' },
];

/** Return a client that does not retry, unless `options` say otherwise. */
export function client(options = {}) {
  return new OpenAI({ baseURL, apiKey, maxRetries: 0, ...options });
}

/** Have the simulator answer as `script` says from now on, its books empty. */
export async function play(script = {}) {
  await control('POST', 'reset');
  await control('POST', 'script', script);
}

/** Return the simulator's books: entries by request id. */
export function ledger() {
  return control('GET', 'ledger');
}

async function control(method, verb, body) {
  const answer = await fetch(`${simulator}/_simulator/${verb}`, {
    method,
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}
