// Whole and streamed answers, tools and structured output, of both dialects.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { client, MESSAGES, MODELS, play } from './setup.mjs';

const TEXT = 'Hello! How can I help you today?';
const PARIS = '{"city":"Paris"}';
const ROME = '{"city":"Rome"}';
const WEATHER = {
  type: 'function',
  function: {
    name: 'weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

for (const model of MODELS) {
  test(`${model}: a whole answer with its figures in the headers`, async () => {
    await play({ text: TEXT });
    const { data, response, request_id: requestId } = await client()
      .chat.completions.create({ model, messages: MESSAGES, max_tokens: 100 })
      .withResponse();

    assert.equal(data.choices[0].message.content, TEXT);
    assert.equal(data.choices[0].finish_reason, 'stop');
    assert.equal(data.usage.total_tokens, 19);
    assert.match(requestId, /^req_/);
    const figures = [...response.headers].filter(([name]) => name.startsWith('x-korad-'));
    assert.deepEqual(Object.fromEntries(figures), {
      'x-korad-billed-amount': '$0.000057',
      'x-korad-optimized-tokens': '10',
      'x-korad-original-tokens': '10',
      'x-korad-profit-margin': '1.50x',
      'x-korad-savings-usd': '$0.000000',
      'x-korad-strategy': 'Passthrough (no optimization needed)',
    });
  });

  test(`${model}: a streamed answer with usage`, async () => {
    const text = 'Grüße aus 東京 🚀, in pieces.';
    await play({ text, odd_chunks: true, pings: true });
    const stream = await client().chat.completions.create({
      model,
      messages: MESSAGES,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);

    const last = chunks.pop();
    assert.deepEqual(last.choices, []);
    assert.equal(last.usage.prompt_tokens, 10);
    assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content ?? '').join(''), text);
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
  });

  test(`${model}: the stream helper gives the whole answer`, async () => {
    await play({ text: TEXT });
    const pieces = [];
    const stream = client()
      .chat.completions.stream({ model, messages: MESSAGES })
      .on('content', (piece) => pieces.push(piece));

    assert.equal(await stream.finalContent(), TEXT);
    assert.equal(pieces.join(''), TEXT);
  });

  test(`${model}: parallel calls of tools, whole and streamed`, async () => {
    const script = { tool_calls: [['weather', PARIS], ['weather', ROME]] };
    await play(script);
    const asked = { model, messages: MESSAGES, tools: [WEATHER] };
    const whole = await client().chat.completions.create(asked);
    const streamed = await client().chat.completions.stream(asked).finalChatCompletion();

    for (const answer of [whole, streamed]) {
      const calls = answer.choices[0].message.tool_calls;
      assert.equal(answer.choices[0].finish_reason, 'tool_calls');
      assert.deepEqual(
        calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
        [['weather', { city: 'Paris' }], ['weather', { city: 'Rome' }]],
      );
      assert.equal(new Set(calls.map((call) => call.id)).size, 2);
    }
  });

  test(`${model}: a structured answer follows the schema`, async () => {
    await play();
    const answer = await client().chat.completions.parse({
      model,
      messages: MESSAGES,
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'choice',
          strict: true,
          schema: {
            type: 'object',
            properties: { colour: { type: 'string', enum: ['red', 'blue'] } },
            required: ['colour'],
            additionalProperties: false,
          },
        },
      },
    });

    assert.deepEqual(JSON.parse(answer.choices[0].message.content), { colour: 'red' });
  });
}

test('several choices come from a provider that has them', async () => {
  await play();
  const answer = await client().chat.completions.create({
    model: MODELS[0],
    messages: MESSAGES,
    n: 2,
  });

  assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1]);
});
