// Reads what three thousand appends made through the emulator's own code, and lists what two thousand blobs are named: exit code 0 = every octet and every name is right, no file was opened more
// often than needed or stays open, and a page of a listing looks at no blob that is not of it.
"use strict";
require("./azurite-lazy.cjs");
const assert = require("node:assert");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { default: ExpressRequestAdapter } = require("./node_modules/azurite/dist/src/blob/generated/ExpressRequestAdapter.js");
const { default: LokiBlobMetadataStore } = require("./node_modules/azurite/dist/src/blob/persistence/LokiBlobMetadataStore.js");
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

const listing = async () => {
  const store = new LokiBlobMetadataStore("", true);
  await store.init();
  const blobs = store.db.getCollection("$BLOBS_COLLECTION$");
  const all = new Map();
  const put = (container, name, isCommitted = true) => {
    all.set(`${container} ${name}`, { container, name, isCommitted });
    blobs.insert({ accountName: "a", containerName: container, name, snapshot: "", isCommitted, properties: {} });
  };
  const drop = (container, name) => {
    all.delete(`${container} ${name}`);
    blobs.ensureAllIndexes = () => assert.fail("all are sorted anew for one");
    blobs.findAndRemove({ accountName: "a", containerName: container, name, snapshot: "" });
    delete blobs.ensureAllIndexes;
  };
  const pages = async (container, delimiter, prefix, size, includeUncommitted) => {
    const names = [];
    let marker = "", looked = 0;
    const get = blobs.get;
    blobs.get = function (...given) { looked++; return get.apply(this, given); };
    do {
      looked = 0;
      const [items, prefixes, next] = await store.listBlobs({ startTime: new Date() }, "a", container, delimiter, undefined, prefix, size, marker, false, includeUncommitted);
      assert.ok(items.length + prefixes.length <= size);
      assert.ok(delimiter !== undefined || looked <= 4 * size, `${looked} looked at for a page of ${size}`);
      names.push(...items.map((i) => i.name), ...prefixes.map((p) => p.name));
      marker = next;
    } while (marker !== "");
    delete blobs.get;
    return names.sort();
  };
  const check = async () => {
    for (const container of ["one", "two", "none"]) {
      for (const prefix of ["", "s/", "s/01", "t", "zz", "7"]) {
        for (const includeUncommitted of [false, true]) {
          const expected = [...all.values()].filter((b) => b.container === container && b.name.startsWith(prefix) && (includeUncommitted || b.isCommitted)).map((b) => b.name).sort();
          assert.deepEqual(await pages(container, undefined, prefix, 90, includeUncommitted), expected);
          const parts = expected.map((n) => (n.includes("/", prefix.length) ? n.slice(0, n.indexOf("/", prefix.length) + 1) : n));
          assert.deepEqual(await pages(container, "/", prefix, 90, includeUncommitted), [...new Set(parts)].sort());
        }
      }
    }
  };
  // Names that are there before the first listing, and after; numbers are names like others.
  for (let i = 0; i < 1800; i++) put(i % 3 === 0 ? "two" : "one", `${"tsr"[i % 5] ?? "q"}/${String((i * 377) % 2000).padStart(4, "0")}/x`, i % 7 !== 0);
  for (const name of ["7", "07", "7.0", "1e3", "1000"]) put("one", name);
  await check();
  const [most] = await store.listBlobs({ startTime: new Date() }, "a", "one", undefined, undefined, "", 5000, "", false, true);
  assert.ok(most.length <= 1000);
  for (let i = 0; i < 1000; i++) put(i % 4 === 0 ? "two" : "one", `s/${String((i * 611) % 1000).padStart(4, "0")}/y`);
  for (let i = 0; i < 1800; i += 3) drop(i % 3 === 0 ? "two" : "one", `${"tsr"[i % 5] ?? "q"}/${String((i * 377) % 2000).padStart(4, "0")}/x`);
  drop("one", "07");
  await check();
  for (const { container, name } of all.values()) {
    const found = blobs.find({ accountName: "a", containerName: container, name, snapshot: "" });
    assert.equal(found.length, 1);
    assert.equal(found[0].name, name);
  }
  // A container with all that is in it.
  blobs.findAndRemove({ accountName: "a", containerName: "one" });
  for (const [key, b] of all) if (b.container === "one") all.delete(key);
  await check();
  await store.close();
};

const query = () => {
  let parsed = 0;
  const adapter = new ExpressRequestAdapter({ url: "/a?comp=list", get query() { parsed++; return { comp: this.url.slice(-4), twice: ["1", "2"] }; } });
  assert.deepEqual([adapter.getQuery("comp"), adapter.getQuery("twice"), adapter.getQuery("none")], ["list", undefined, undefined]);
  assert.equal(parsed, 1);
  adapter.req.url = "/a?comp=tags";
  assert.equal(adapter.getQuery("comp"), "tags");
};

(async () => {
  query();
  await listing();
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
