// The Vercel AI SDK with its OpenAI and Anthropic providers against a running gateway: as its documentation has it,
// but for the base URL. One function per case.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, embedMany, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { HELLO, patient, report, seen, someone } from "./shared.mjs";

const { GATEWAY, KEY } = process.env;
const TRIP = z.object({ city: z.string(), days: z.number().int() });

const headersOf = (subject) => (subject ? { "x-persona-id": "brand-default", "x-subject-id": subject } : {});
const openai = (subject, apiKey = KEY) =>
  createOpenAI({ baseURL: `${GATEWAY}/v1`, apiKey, headers: headersOf(subject), fetch: patient });
// What `openai("…")` means is the Responses API; chat completions have to be asked for.
const dialects = {
  responses: (subject, key) => openai(subject, key),
  chat: (subject, key) => openai(subject, key).chat,
  messages: (subject, key) =>
    createAnthropic({ baseURL: `${GATEWAY}/v1`, apiKey: key ?? KEY, headers: headersOf(subject), fetch: patient }),
};
const asked = (model, more = {}) => ({ model, prompt: "hello", maxRetries: 0, ...more });
const weather = () =>
  tool({
    description: "The weather in a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `21 degrees in ${city}`,
  });

// Cases over one dialect and one provider wire, as a pass-through (no subject) and as a persona's turn.
const both = {
  async buffered(made, wire, subject) {
    const answer = await generateText(asked(made(subject)(`${wire}/fake:normal`)));
    assert.deepEqual([answer.text, answer.finishReason], [HELLO, "stop"]);
    assert.ok(answer.usage.outputTokens > 0);
  },

  async streamed(made, wire, subject) {
    const errors = [];
    const stream = streamText(
      asked(made(subject)(`${wire}/fake:normal`), { onError: ({ error }) => errors.push(error) }),
    );
    let text = "";
    for await (const part of stream.textStream) text += part;
    assert.deepEqual(errors, []);
    assert.deepEqual([text, await stream.finishReason], [HELLO, "stop"]);
    assert.ok((await stream.usage).outputTokens > 0);
  },

  async tools(made, wire, subject) {
    const tag = randomUUID();
    const model = made(subject)(`${wire}/fake:tools,case=offered,tag=${tag}`);
    const options = { tools: { get_weather: weather() }, stopWhen: stepCountIs(2) };
    const whole = await generateText(asked(model, options));
    assert.deepEqual(whole.steps[0].toolCalls.map((call) => [call.toolName, call.input.city]), [
      ["get_weather", "Berlin"],
    ]);
    assert.equal(whole.steps.length, 2);
    const stream = streamText(asked(model, { ...options, stopWhen: stepCountIs(1) }));
    await stream.consumeStream();
    assert.deepEqual((await stream.toolResults).map((result) => result.output), ["21 degrees in Berlin"]);
    assert.ok((await seen(tag)).some((call) => JSON.stringify(call.body).includes("21 degrees in Berlin")));
  },

  async structured(made, wire, subject) {
    const model = made(subject)(`${wire}/fake:json`);
    const { output } = await generateText(asked(model, { output: Output.object({ schema: TRIP }) }));
    assert.deepEqual(output, { city: "Berlin", days: 3 });
  },

  async breaks_off(made, wire, subject) {
    const errors = [];
    const stream = streamText(
      asked(made(subject)(`${wire}/fake:error-mid`), { onError: ({ error }) => errors.push(error) }),
    );
    const parts = [];
    try {
      for await (const part of stream.fullStream) parts.push(part);
    } catch (error) {
      errors.push(error);
    }
    const told = parts.filter((part) => part.type === "error");
    assert.ok(errors.length + told.length > 0, "the failure was not told");
    assert.ok(!parts.some((part) => part.type === "finish" && part.finishReason === "stop"));
  },

  async hanging_up(made, wire, subject) {
    const tag = randomUUID();
    const model = made(subject)(`${wire}/fake:delay,chunks=400,pace_ms=25,tag=${tag}`);
    const left = new AbortController();
    const stream = streamText(asked(model, { abortSignal: left.signal, onError: () => {} }));
    let taken = 0;
    try {
      for await (const _ of stream.textStream) if (++taken === 3) left.abort();
    } catch {
      assert.ok(left.signal.aborted);
    }
    for (const until = Date.now() + 8_000; ; ) {
      const [call] = await seen(tag);
      if (call?.disconnected) return assert.equal(call.finished, false);
      assert.ok(Date.now() < until, "the provider was not told");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
};

// Cases of their own.
const single = {
  async refusals() {
    const table = [
      ["openai/fake:status,code=429", 429],
      ["anthropic/fake:status,code=400", 400],
      ["openai/fake:status,code=500", 502],
      ["nobody/nothing", 404],
    ];
    for (const made of Object.values(dialects)) {
      for (const [name, status] of table)
        await assert.rejects(
          async () => generateText(asked(made()(name), { maxRetries: 0 })),
          (error) => APICallError.isInstance(error) && error.statusCode === status && error.message.length > 0,
        );
      await assert.rejects(
        async () => generateText(asked(made(undefined, "ik_live_nonsense")("ikiro/sandbox"), { maxRetries: 0 })),
        (error) => APICallError.isInstance(error) && error.statusCode === 401,
      );
    }
  },

  async embeddings() {
    for (const name of ["openai/fake:normal", "ikiro/sandbox"]) {
      const model = openai().embedding(name);
      const { embeddings, usage } = await embedMany({ model, values: ["green tea", "coffee"] });
      assert.equal(embeddings.length, 2);
      assert.ok(usage.tokens > 0);
    }
  },

  async thinking() {
    const stream = streamText(asked(dialects.messages()("openai/fake:reasoning")));
    await stream.consumeStream();
    assert.equal(await stream.reasoningText, "Let me think.");
    assert.equal(await stream.text, HELLO);
  },
};

const cases = Object.entries(single);
for (const [dialect, made] of Object.entries(dialects))
  for (const wire of ["openai", "anthropic"])
    for (const [name, run] of Object.entries(both)) {
      cases.push([`${name}-${dialect}-${wire}-plain`, () => run(made, wire)]);
      cases.push([`${name}-${dialect}-${wire}-persona`, () => run(made, wire, someone())]);
    }

await report(cases);
