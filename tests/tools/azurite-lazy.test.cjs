// Reads what three thousand appends made through the emulator's own code: exit code 0 = every octet is right, and no file was opened more often than needed or stays open.
"use strict";
require("./azurite-lazy.cjs");
const assert = require("node:assert");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { default: FSExtentStore } = require("./node_modules/azurite/dist/src/common/persistence/FSExtentStore.js");

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "azurite-lazy-"));
const text = "0123456789".repeat(2);
for (const name of ["one", "two"]) fs.writeFileSync(path.join(folder, name), text);
let opened = 0;
const store = Object.create(FSExtentStore.prototype);
store.logger = { verbose() {} };
store.metadataStore = { getExtentLocationId: async () => folder };
store.generateExtentPath = (location, id) => {
  opened++;
  return path.join(location, id);
};
const files = () => fs.readdirSync("/proc/self/fd").map((fd) => { try { return fs.readlinkSync(`/proc/self/fd/${fd}`); } catch { return ""; } }).filter((f) => f.startsWith(folder)).length;

const all = async (stream) => {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
};

(async () => {
  const of = (name) => Array.from({ length: 1500 }, (_, i) => ({ id: name, offset: i % 9, count: 7 }));
  const chunks = [...of("one"), ...of("two")];
  const whole = chunks.map((c) => text.slice(c.offset, c.offset + c.count)).join("");
  assert.equal(await all(await store.readExtents(chunks, 5, whole.length - 20)), whole.slice(5, -15));
  assert.equal(await all(await store.readExtents(chunks)), whole);
  assert.equal(opened, 4, "a file is opened once for what follows in it");
  assert.equal(await all(await store.readExtents(chunks, 8, 0)), "");
  assert.equal(await all(await store.readExtents([])), "");
  assert.equal(await all(await store.readExtents([{ id: "*ZERO*", offset: 0, count: 3 }])), "\0\0\0");
  await assert.rejects(async () => all(await store.readExtents([{ id: "one", offset: 15, count: 9 }])), /ends early/);
  // A reader that leaves in the middle leaves no file behind.
  for await (const _ of await store.readExtents(chunks)) break;
  for (let turns = 0; files() > 0; turns++) {
    assert.ok(turns < 10_000, "a file stays open");
    await new Promise(setImmediate);
  }
  fs.rmSync(folder, { recursive: true });
})();
