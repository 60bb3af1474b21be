// The official Anthropic client for Node against a running gateway: one function per case.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import Anthropic from "@anthropic-ai/sdk";
import { collect, HELLO, patient, report, seen, someone, USER } from "./shared.mjs";

const { GATEWAY, KEY, DOT } = process.env;
const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const WEATHER = { name: "get_weather", input_schema: CITY };
const TIME = { name: "get_time", input_schema: CITY };

const client = (subject, more = {}) =>
  new Anthropic({
    baseURL: GATEWAY,
    apiKey: KEY,
    maxRetries: 0,
    timeout: 60_000,
    fetch: patient,
    defaultHeaders: subject ? { "x-persona-id": "brand-default", "x-subject-id": subject } : {},
    ...more,
  });
const asked = (model, more = {}) => ({ model, max_tokens: 100, messages: [USER], ...more });
const calls = (message) => message.content.filter((block) => block.type === "tool_use");

// Cases over one provider wire, as a pass-through (no subject) and as a persona's turn.
const both = {
  async buffered(wire, subject) {
    const message = await client(subject).messages.create(asked(`${wire}/fake:normal,cached=3`));
    assert.deepEqual([message.type, message.role, message.stop_reason], ["message", "assistant", "end_turn"]);
    assert.deepEqual(message.content.map((block) => block.text), [HELLO]);
    assert.equal(message.usage.cache_read_input_tokens, 3);
    assert.match(message._request_id, /^req_/);
  },

  async streamed(wire, subject) {
    const api = client(subject).messages;
    const events = await collect(await api.create(asked(`${wire}/fake:normal`, { stream: true })));
    const names = events.map((event) => event.type).filter((name) => name !== "content_block_delta");
    const expected = ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"];
    assert.deepEqual(names, expected);
    const final = await api.stream(asked(`${wire}/fake:normal`)).finalMessage();
    assert.equal(final.content[0].text, HELLO);
    assert.ok(final.usage.output_tokens > 0);
  },

  async tools(wire, subject) {
    const api = client(subject).messages;
    const given = asked(`${wire}/fake:tools,case=offered-parallel`, { tools: [WEATHER, TIME] });
    for (const first of [await api.create(given), await api.stream(given).finalMessage()]) {
      assert.equal(first.stop_reason, "tool_use");
      assert.deepEqual(calls(first).map((call) => [call.name, call.input.city]), [
        ["get_weather", "Berlin"],
        ["get_time", "Berlin"],
      ]);
      const results = calls(first).map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: "21 degrees" }));
      const messages = [USER, { role: "assistant", content: first.content }, { role: "user", content: results }];
      const second = await api.create(asked(`${wire}/fake:normal`, { messages, tools: [WEATHER, TIME] }));
      assert.equal(second.content[0].text, HELLO);
    }
  },

  async structured(wire, subject) {
    const schema = {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" } },
      required: ["city", "days"],
      additionalProperties: false,
    };
    const format = { type: "json_schema", schema };
    const message = await client(subject).messages.create(asked(`${wire}/fake:json`, { output_config: { format } }));
    assert.deepEqual(JSON.parse(message.content[0].text), { city: "Berlin", days: 3 });
  },

  async images(wire, subject) {
    const source = { type: "base64", media_type: "image/png", data: DOT.split(",")[1] };
    const content = [{ type: "text", text: "What is this?" }, { type: "image", source }];
    const given = asked(`${wire}/fake:images`, { messages: [{ role: "user", content }] });
    const message = await client(subject).messages.create(given);
    assert.ok(message.content[0].text.includes(DOT.split(",")[1]));
  },

  async breaks_off(wire, subject) {
    for (const scenario of ["error-mid", "cut", "break", "stall"]) {
      const events = [];
      await assert.rejects(async () => {
        const given = asked(`${wire}/fake:${scenario}`, { stream: true });
        for await (const event of await client(subject).messages.create(given)) events.push(event.type);
      }, (error) => error instanceof Anthropic.APIError && !(error instanceof Anthropic.APIConnectionError));
      assert.ok(events.includes("message_start"));
      assert.ok(!events.includes("message_stop") && !events.includes("message_delta"));
    }
  },

  async hanging_up(wire, subject) {
    const tag = randomUUID();
    const given = asked(`${wire}/fake:delay,chunks=400,pace_ms=25,tag=${tag}`, { stream: true });
    let taken = 0;
    for await (const _ of await client(subject).messages.create(given)) if (++taken === 4) break;
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
      [Anthropic.AuthenticationError, 401, "authentication_error", asked("ikiro/sandbox"), { apiKey: "ik_live_x" }],
      [Anthropic.NotFoundError, 404, "not_found_error", asked("nobody/nothing")],
      [Anthropic.BadRequestError, 400, "invalid_request_error", asked("openai/fake:status,code=400")],
      [Anthropic.RateLimitError, 429, "rate_limit_error", asked("anthropic/fake:status,code=429")],
      [Anthropic.InternalServerError, 502, "api_error", asked("anthropic/fake:status,code=401")],
      [Anthropic.InternalServerError, 529, "overloaded_error", asked("anthropic/fake:status,code=529")],
    ];
    for (const subject of [undefined, someone()])
      for (const stream of [false, true])
        for (const [kind, status, type, given, more] of table)
          await assert.rejects(
            async () => client(subject, more).messages.create({ ...given, stream }),
            (error) => {
              assert.ok(error instanceof kind, `${type}: ${error}`);
              assert.deepEqual([error.status, error.error.error.type], [status, type]);
              assert.match(error.requestID, /^req_/);
              return true;
            },
          );
  },

  async count_tokens() {
    for (const model of ["anthropic/fake:normal", "openai/fake:normal", "ikiro/sandbox"]) {
      const { input_tokens } = await client().messages.countTokens({ model, messages: [USER] });
      assert.ok(input_tokens > 0);
    }
  },

  async models() {
    const listed = await collect(client().models.list({ limit: 1000 }));
    assert.ok(listed.some((model) => model.id === "ikiro/sandbox" && model.type === "model"));
    assert.equal((await client().models.retrieve("ikiro/sandbox")).display_name, "Ikiro sandbox");
    await assert.rejects(async () => client().models.retrieve("nobody/nothing"), Anthropic.NotFoundError);
  },

  async persona() {
    const subject = someone();
    const given = asked("ikiro/sandbox", { messages: [{ role: "user", content: "Remember that I like tea." }] });
    const message = await client(subject).messages.create(given);
    assert.deepEqual(message.proposedWrites.map((one) => one.type), ["memory.upsert"]);
    const events = await collect(await client(subject).messages.create({ ...given, stream: true }));
    assert.deepEqual(events.at(-2).proposedWrites.map((one) => one.type), ["memory.upsert"]);
  },
};

const cases = Object.entries(single);
for (const wire of ["openai", "anthropic"])
  for (const [name, run] of Object.entries(both)) {
    cases.push([`${name}-${wire}-plain`, () => run(wire)]);
    cases.push([`${name}-${wire}-persona`, () => run(wire, someone())]);
  }

await report(cases);
