// The official Node client against a running gateway: one function per case.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import OpenAI from "openai";
import { collect, HELLO, patient, report, seen, someone, USER } from "./shared.mjs";

const { GATEWAY, KEY, OTHER_KEY, DOT } = process.env;
const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const WEATHER = { type: "function", function: { name: "get_weather", parameters: CITY } };
const TIME = { type: "function", function: { name: "get_time", parameters: CITY } };
const TRIP = {
  type: "json_schema",
  json_schema: {
    name: "trip",
    strict: true,
    schema: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" } },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
};
const LESSON = [{ role: "user", content: "When is the piano lesson? And remember that I like tea." }];

const client = (subject, more = {}) =>
  new OpenAI({
    baseURL: `${GATEWAY}/v1`,
    apiKey: KEY,
    maxRetries: 0,
    timeout: 60_000,
    fetch: patient,
    defaultHeaders: subject ? { "x-persona-id": "brand-default", "x-subject-id": subject } : {},
    ...more,
  });
const tagged = (model) => {
  const tag = randomUUID();
  return [`${model},tag=${tag}`, tag];
};
const within = async (milliseconds, check) => {
  const until = Date.now() + milliseconds;
  for (;;) {
    const found = await check();
    if (found) return found;
    assert.ok(Date.now() < until, `not within ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
const remember = async (subject, text) => {
  const answer = await fetch(`${GATEWAY}/v1/memories`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ subject_id: subject, text, provenance: { source: "gmail", ref: "msg_1" } }),
  });
  assert.equal(answer.status, 201);
  return (await answer.json()).id;
};
const names = (list) => list.map((one) => one.type);

// Cases over one provider wire, as a pass-through (no subject) and as a persona's turn.
const both = {
  async buffered(wire, subject) {
    const answer = await client(subject).chat.completions.create({ model: `${wire}/fake:normal`, messages: [USER] });
    const [choice] = answer.choices;
    assert.deepEqual([choice.message.role, choice.message.content, choice.finish_reason], ["assistant", HELLO, "stop"]);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    assert.match(answer._request_id, /^req_/);
  },

  async streamed(wire, subject) {
    const asked = { model: `${wire}/fake:normal`, messages: [USER], stream: true };
    const plain = await collect(await client(subject).chat.completions.create(asked));
    const counted = await collect(
      await client(subject).chat.completions.create({ ...asked, stream_options: { include_usage: true } }),
    );
    const last = counted.pop();
    assert.deepEqual(last.choices, []);
    assert.ok(last.usage.total_tokens > 0);
    for (const chunks of [plain, counted]) {
      assert.ok(chunks.every((chunk) => chunk.choices.length === 1 && !chunk.usage));
      assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
      assert.equal(chunks[0].choices[0].delta.role, "assistant");
      assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join(""), HELLO);
      assert.deepEqual(chunks.map((chunk) => chunk.choices[0].finish_reason).filter(Boolean), ["stop"]);
    }
  },

  async tools(wire, subject) {
    const [model, tag] = tagged(`${wire}/fake:tools,case=offered`);
    const api = client(subject).chat.completions;
    const first = await api.create({ model, messages: [USER], tools: [WEATHER], tool_choice: "auto" });
    const { message, finish_reason } = first.choices[0];
    assert.equal(finish_reason, "tool_calls");
    assert.equal(message.tool_calls.length, 1);
    const [call] = message.tool_calls;
    assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)], ["get_weather", { city: "Berlin" }]);
    const result = { role: "tool", tool_call_id: call.id, content: "21 degrees" };
    const messages = [USER, message, result];
    const second = await api.create({ model: `${wire}/fake:normal,tag=${tag}`, messages, tools: [WEATHER] });
    assert.equal(second.choices[0].message.content, HELLO);
    const told = JSON.stringify((await seen(tag)).at(-1).body.messages);
    assert.ok(told.includes("21 degrees") && told.includes(call.id));
  },

  async parallel_tools(wire, subject) {
    const asked = { model: `${wire}/fake:tools,case=offered-parallel`, messages: [USER], tools: [WEATHER, TIME] };
    const whole = await client(subject).chat.completions.create(asked);
    const streamed = await client(subject).chat.completions.stream(asked).finalChatCompletion();
    for (const answer of [whole, streamed]) {
      const calls = answer.choices[0].message.tool_calls;
      assert.deepEqual(calls.map((call) => call.function.name), ["get_weather", "get_time"]);
      assert.ok(calls.every((call) => JSON.parse(call.function.arguments).city === "Berlin"));
      assert.equal(new Set(calls.map((call) => call.id)).size, 2);
    }
  },

  async structured(wire, subject) {
    const asked = { model: `${wire}/fake:json`, messages: [USER], response_format: TRIP };
    const parsed = await client(subject).chat.completions.parse(asked);
    const streamed = await client(subject).chat.completions.stream(asked).finalChatCompletion();
    assert.deepEqual(parsed.choices[0].message.parsed, { city: "Berlin", days: 3 });
    assert.deepEqual(JSON.parse(streamed.choices[0].message.content), { city: "Berlin", days: 3 });
  },

  async images(wire, subject) {
    const content = [{ type: "text", text: "What is this?" }, { type: "image_url", image_url: { url: DOT } }];
    const answer = await client(subject).chat.completions.create({
      model: `${wire}/fake:images`,
      messages: [{ role: "user", content }],
    });
    assert.ok(answer.choices[0].message.content.includes(DOT.split(",")[1]));
  },

  async breaks_off(wire, subject) {
    for (const scenario of ["error-mid", "cut", "break"]) {
      const chunks = [];
      await assert.rejects(async () => {
        const asked = { model: `${wire}/fake:${scenario}`, messages: [USER], stream: true };
        for await (const chunk of await client(subject).chat.completions.create(asked)) chunks.push(chunk);
      }, (error) => error instanceof OpenAI.APIError && !(error instanceof OpenAI.APIConnectionError));
      assert.ok(chunks.length > 0);
      assert.deepEqual(chunks.map((chunk) => chunk.choices[0].finish_reason).filter(Boolean), []);
    }
  },

  async silence(wire, subject) {
    for (const [scenario, kind] of [["stall-first", OpenAI.InternalServerError], ["stall", OpenAI.APIError]]) {
      const started = Date.now();
      await assert.rejects(async () => {
        const asked = { model: `${wire}/fake:${scenario}`, messages: [USER], stream: true };
        await collect(await client(subject).chat.completions.create(asked));
      }, kind);
      assert.ok(Date.now() - started < 20_000);
    }
  },

  async responses(wire, subject) {
    const api = client(subject).responses;
    const asked = { model: `${wire}/fake:normal`, input: "hello" };
    const whole = await api.create(asked);
    const final = await api.stream(asked).finalResponse();
    const events = await collect(await api.create({ ...asked, stream: true }));
    assert.deepEqual([whole.output_text, final.output_text, whole.status], [HELLO, HELLO, "completed"]);
    assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, at) => at));
    assert.equal(events.at(-1).type, "response.completed");
    assert.equal(whole.usage.total_tokens, whole.usage.input_tokens + whole.usage.output_tokens);
  },

  async responses_tools(wire, subject) {
    const api = client(subject).responses;
    const tools = [WEATHER, TIME].map((tool) => ({ type: "function", ...tool.function }));
    const asked = { model: `${wire}/fake:tools,case=offered-parallel`, input: [USER], tools };
    for (const answer of [await api.create(asked), await api.stream(asked).finalResponse()]) {
      const calls = answer.output.filter((item) => item.type === "function_call");
      assert.deepEqual(calls.map((call) => [call.name, JSON.parse(call.arguments).city]), [
        ["get_weather", "Berlin"],
        ["get_time", "Berlin"],
      ]);
      const results = calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "21 degrees" }));
      const input = [USER, ...calls, ...results].map(({ parsed_arguments: _, ...item }) => item);
      assert.equal((await api.create({ model: `${wire}/fake:normal`, input, tools })).output_text, HELLO);
    }
  },

  async responses_break_off(wire, subject) {
    const types = [];
    await assert.rejects(async () => {
      const asked = { model: `${wire}/fake:error-mid`, input: "hello", stream: true };
      for await (const event of await client(subject).responses.create(asked)) types.push(event.type);
    }, (error) => error instanceof OpenAI.APIError);
    assert.ok(types.includes("response.created") && !types.includes("response.completed"));
  },

  async hanging_up(wire, subject) {
    const [model, tag] = tagged(`${wire}/fake:delay,chunks=400,pace_ms=25`);
    const stream = await client(subject).chat.completions.create({ model, messages: [USER], stream: true });
    let taken = 0;
    for await (const _ of stream) if (++taken === 3) break;
    const [call] = await within(8_000, async () => {
      const calls = (await seen(tag)).filter((one) => one.disconnected);
      return calls.length ? calls : null;
    });
    assert.equal(call.finished, false);
  },
};

// Cases of their own.
const single = {
  async persona() {
    const subject = someone();
    const memory = await remember(subject, "The piano lesson is on Tuesday at five.");
    const asked = { model: "ikiro/sandbox", messages: LESSON };
    const answer = await client(subject).chat.completions.create(asked);
    assert.deepEqual(answer.citations.map((one) => one.factId), [memory]);
    assert.deepEqual(names(answer.proposedWrites), ["memory.upsert"]);
    const elsewhere = await client(subject, { apiKey: OTHER_KEY }).chat.completions.create(asked);
    assert.deepEqual(elsewhere.citations, []);
  },

  async persona_streamed() {
    const subject = someone();
    const memory = await remember(subject, "The piano lesson is on Tuesday at five.");
    const asked = { model: "ikiro/sandbox", messages: LESSON };
    const chunks = await collect(await client(subject).chat.completions.create({ ...asked, stream: true }));
    assert.deepEqual(chunks.at(-1).citations.map((one) => one.factId), [memory]);
    assert.deepEqual(names(chunks.at(-1).proposedWrites), ["memory.upsert"]);
    const final = await client(subject).chat.completions.stream(asked).finalChatCompletion();
    assert.deepEqual(final.citations.map((one) => one.factId), [memory]);
    assert.match(final.choices[0].message.content, /Tuesday/);
  },

  async persona_in_the_body() {
    const body = { model: "ikiro/sandbox", messages: LESSON, persona_id: "brand-default", subject_id: someone() };
    const first = await client().chat.completions.create(body);
    const again = await client().chat.completions.create({ ...body, conversation_id: first.conversation_id });
    assert.match(first.conversation_id, /^conv_/);
    assert.equal(again.conversation_id, first.conversation_id);
  },

  async refusals() {
    const table = [
      [OpenAI.AuthenticationError, 401, "key_malformed", { model: "ikiro/sandbox" }, { apiKey: "ik_live_nonsense" }],
      [OpenAI.NotFoundError, 404, "model_not_found", { model: "nobody/nothing" }],
      [OpenAI.BadRequestError, 400, "invalid_request", { model: "ikiro/sandbox", max_tokens: -1 }],
      [OpenAI.BadRequestError, 400, "upstream_rejected", { model: "openai/fake:status,code=400" }],
      [OpenAI.RateLimitError, 429, "upstream_rate_limited", { model: "openai/fake:status,code=429" }],
      [OpenAI.InternalServerError, 502, "provider_auth_failed", { model: "openai/fake:status,code=401" }],
      [OpenAI.InternalServerError, 502, "upstream_error", { model: "anthropic/fake:status,code=500" }],
    ];
    for (const subject of [undefined, someone()])
      for (const stream of [false, true])
        for (const [kind, status, code, change, more] of table)
          await assert.rejects(
            async () => client(subject, more).chat.completions.create({ messages: [USER], stream, ...change }),
            (error) => {
              assert.ok(error instanceof kind, `${code}: ${error}`);
              assert.deepEqual([error.status, error.code], [status, code]);
              assert.match(error.requestID, /^req_/);
              return true;
            },
          );
  },

  async retry_after() {
    const [model, tag] = tagged("openai/fake:flaky,code=429,retry_after=1");
    const started = Date.now();
    const answer = await client(undefined, { maxRetries: 1 }).chat.completions.create({ model, messages: [USER] });
    assert.equal(answer.choices[0].message.content, HELLO);
    assert.ok(Date.now() - started >= 900);
    assert.equal((await seen(tag)).length, 2);
  },

  async no_retry() {
    const [model, tag] = tagged("openai/fake:status,code=401");
    const asked = { model, messages: [USER] };
    await assert.rejects(async () => client(undefined, { maxRetries: 3 }).chat.completions.create(asked));
    assert.equal((await seen(tag)).length, 1);
  },

  async models() {
    const listed = await collect(client().models.list());
    assert.ok(listed.some((model) => model.id === "ikiro/sandbox" && model.object === "model"));
    assert.equal((await client().models.retrieve("ikiro/sandbox")).id, "ikiro/sandbox");
    await assert.rejects(
      async () => client().models.retrieve("nobody/nothing"),
      (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found",
    );
  },

  async other_surfaces() {
    const asked = { model: "ikiro/sandbox", input: "hello" };
    for (const call of [() => client().moderations.create(asked), () => client().files.list()])
      await assert.rejects(call, (error) => error instanceof OpenAI.NotFoundError && /chat\/completions/.test(error.message));
  },

  async embeddings() {
    for (const model of ["openai/fake:normal", "ikiro/sandbox"]) {
      const answer = await client().embeddings.create({ model, input: ["green tea", "coffee"], dimensions: 6 });
      assert.deepEqual(answer.data.map((row) => row.embedding.length), [6, 6]);
    }
    await assert.rejects(
      async () => client().embeddings.create({ model: "anthropic/fake:normal", input: "hello" }),
      (error) => error instanceof OpenAI.BadRequestError && error.code === "shape_not_served",
    );
  },

  async responses_refused() {
    const asked = { model: "openai/fake:normal", input: "hello", previous_response_id: "resp_1" };
    await assert.rejects(
      async () => client().responses.create(asked),
      (error) => error instanceof OpenAI.BadRequestError && error.param === "previous_response_id",
    );
    const { id } = await client().responses.create({ model: "ikiro/sandbox", input: "hello" });
    await assert.rejects(
      async () => client().responses.retrieve(id),
      (error) => error instanceof OpenAI.NotFoundError && error.code === "response_not_stored",
    );
  },
};

const cases = Object.entries(single);
for (const wire of ["openai", "anthropic"])
  for (const [name, run] of Object.entries(both)) {
    cases.push([`${name}-${wire}-plain`, () => run(wire)]);
    cases.push([`${name}-${wire}-persona`, () => run(wire, someone())]);
  }

await report(cases);
