// Failures arrive as the SDK's own error classes, and are retried when that may help.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';

import { client, ledger, MESSAGES, MODELS, play } from './setup.mjs';

const CLASSES = [
  [400, OpenAI.BadRequestError],
  [401, OpenAI.AuthenticationError],
  [402, OpenAI.APIError],
  [403, OpenAI.PermissionDeniedError],
  [404, OpenAI.NotFoundError],
  [429, OpenAI.RateLimitError],
  [500, OpenAI.InternalServerError],
  [529, OpenAI.InternalServerError],
];

const refusing = (status) => ({ fault: 'error_status', status, retry_after_s: 0.01 });

for (const model of MODELS) {
  for (const [status, expected] of CLASSES) {
    test(`${model}: a ${status} of the provider keeps its status and words`, async () => {
      await play(refusing(status));
      await assert.rejects(
        client().chat.completions.create({ model, messages: MESSAGES }),
        (error) => {
          assert.ok(error instanceof expected);
          assert.equal(error.status, status);
          assert.deepEqual(Object.keys(error.error).sort(), ['code', 'message', 'param', 'type']);
          assert.match(error.requestID, /^req_/);
          return true;
        },
      );
    });
  }

  test(`${model}: a 429 is tried again`, async () => {
    await play(refusing(429));
    let answers = 0;
    const recovering = async (...call) => {
      const answer = await fetch(...call);
      answers += 1;
      await play({ text: 'Well again.' });
      return answer;
    };
    const answer = await client({ maxRetries: 2, fetch: recovering }).chat.completions.create({
      model,
      messages: MESSAGES,
    });

    assert.equal(answer.choices[0].message.content, 'Well again.');
    assert.equal(answers, 2);
  });

  test(`${model}: a 402 is not tried again`, async () => {
    await play(refusing(402));
    await assert.rejects(
      client({ maxRetries: 2 }).chat.completions.create({ model, messages: MESSAGES }),
      { status: 402 },
    );

    assert.equal(Object.keys(await ledger()).length, 1);
  });

  for (const fault of ['early_close', 'reset_mid_stream']) {
    test(`${model}: a stream that ends in ${fault} throws after what came`, async () => {
      await play({ text: 'One two three four five six.', fault, fault_after_chunks: 5 });
      let text = '';
      const read = async () => {
        const asked = { model, messages: MESSAGES, stream: true };
        for await (const chunk of await client().chat.completions.create(asked)) {
          text += chunk.choices[0].delta.content ?? '';
        }
      };

      await assert.rejects(read(), { code: 'upstream_broken', type: 'upstream_error' });
      assert.match(text, /^One two/);
    });
  }

  test(`${model}: a call that takes too long ends as a timeout`, async () => {
    await play({ fault: 'stall_before_head' });
    await assert.rejects(
      client({ timeout: 100 }).chat.completions.create({ model, messages: MESSAGES }),
      OpenAI.APIConnectionTimeoutError,
    );
  });
}

test('a model that is none is named with code and param', async () => {
  await play();
  await assert.rejects(client().chat.completions.create({ model: 'none', messages: MESSAGES }), {
    status: 400,
    code: 'invalid_model',
    param: 'model',
    type: 'invalid_request_error',
  });
});

test('a key that nobody knows is an authentication error', async () => {
  await play();
  const stranger = client({ apiKey: 'sk-bf-nobody-knows-this-key' });
  await assert.rejects(
    stranger.chat.completions.create({ model: MODELS[0], messages: MESSAGES }),
    OpenAI.AuthenticationError,
  );
});

test('a parameter that the provider cannot honour is named', async () => {
  await play();
  await assert.rejects(
    client().chat.completions.create({ model: MODELS[1], messages: MESSAGES, n: 2 }),
    { status: 400, code: 'unsupported_parameter', param: 'n' },
  );
});
