// What the scripts share: how they reach the gateway, what the scripted provider saw, and how cases are run.
import { randomUUID } from "node:crypto";

const { UPSTREAM } = process.env;

export const HELLO = "Hello from the fake upstream . ";
export const USER = { role: "user", content: "hello" };

export const someone = () => `node-${randomUUID()}`;

// A busy machine lets a kept connection grow older than its server keeps it; the first call on it then finds it closed.
// Nothing has been asked by then, so it is asked once more. No other failure is tried again.
export const patient = async (...given) => {
  try {
    return await fetch(...given);
  } catch (error) {
    if (error?.cause?.code !== "UND_ERR_SOCKET") throw error;
    return fetch(...given);
  }
};

export const seen = async (tag) => {
  const { calls } = await (await patient(`${UPSTREAM}/__calls`)).json();
  return calls.filter((call) => String(call.body?.model).includes(tag));
};

export const collect = async (stream) => {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
};

// Runs the cases, so many side by side, and prints how each ended.
const AT_ONCE = 12;

export const report = async (cases) => {
  const left = [...cases];
  const ended = [];
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [name, run] = next;
      const started = Date.now();
      let error = null;
      try {
        await run();
      } catch (problem) {
        error = String(problem?.stack ?? problem);
      }
      ended.push({ name, error, ms: Date.now() - started });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  console.log(JSON.stringify(ended));
};
