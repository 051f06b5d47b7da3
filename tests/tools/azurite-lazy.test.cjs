// Reads what three thousand appends made through the emulator's own code: exit code 0 = every octet is right and few files were open at once.
"use strict";
require("./azurite-lazy.cjs");
const assert = require("node:assert");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { default: FSExtentStore } = require("./node_modules/azurite/dist/src/common/persistence/FSExtentStore.js");

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "azurite-lazy-"));
const file = path.join(folder, "extent");
fs.writeFileSync(file, "0123456789".repeat(2));
let open = 0, most = 0;
const store = Object.create(FSExtentStore.prototype);
store.logger = { verbose() {} };
store.readExtent = async (piece) => {
  most = Math.max(most, ++open);
  return fs.createReadStream(file, { start: piece.offset, end: piece.offset + piece.count - 1 }).on("close", () => open--);
};

const all = async (stream) => {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
};

(async () => {
  const chunks = Array.from({ length: 3000 }, (_, i) => ({ id: "extent", offset: i % 9, count: 7 }));
  const whole = chunks.map((c) => "0123456789".repeat(2).slice(c.offset, c.offset + c.count)).join("");
  assert.equal(await all(await store.readExtents(chunks, 5, whole.length - 20)), whole.slice(5, -15));
  assert.equal(await all(await store.readExtents(chunks)), whole);
  assert.equal(await all(await store.readExtents(chunks, 8, 0)), "");
  assert.equal(await all(await store.readExtents([])), "");
  assert.ok(most < 20, `${most} files were open at once`);
  fs.rmSync(folder, { recursive: true });
})();
