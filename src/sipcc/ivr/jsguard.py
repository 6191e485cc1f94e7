"""What keeps the built-in functions of the ECMAScript engine within the time limit.

quickjs-ng looks at the clock in loops of scripts and in regular expressions, but not in the loops of its own
functions: ``new Array(4e9).join()`` or the search for a long text in a longer one would hold the thread for
minutes. So functions that walk arrays refuse those that are longer than any document needs, text is searched
only when the product of the lengths is bearable, and what can lie about a length is taken away.
"""

from __future__ import annotations

from typing import Final

GUARD: Final = r"""
(function () {
  const longest = 1000000, work = 20000000;
  const described = Object.getOwnPropertyDescriptor, define = Object.defineProperty;
  const apply = Reflect.apply, names = Object.getOwnPropertyNames, Text = String;
  const Range = RangeError, Pattern = RegExp, iterator = Symbol.iterator, view = ArrayBuffer.isView;
  function short(list) {
    if (list === null || (typeof list !== "object" && typeof list !== "function")) return;
    if (view(list)) return;
    const own = described(list, "length");
    if (own === undefined && !("length" in list)) return;
    if (own === undefined || !("value" in own) || !(+own.value <= longest)) throw new Range("array too long");
  }
  function replace(home, name, made) {
    const old = described(home, name);
    if (old === undefined || typeof old.value !== "function") return;
    const wrapped = made(old.value);
    define(wrapped, "name", {value: name});
    define(home, name, {value: wrapped, writable: true, configurable: true});
  }
  const walks = (old) => function (...given) {
    short(this);
    for (let at = 0; at < given.length; at++) short(given[at]);
    return apply(old, this, given);
  };
  for (const name of names(Array.prototype)) {
    if (name !== "constructor") replace(Array.prototype, name, walks);
  }
  define(Array.prototype, iterator,
    {value: Array.prototype.values, writable: true, configurable: true});
  for (const home of [Array, Reflect, JSON, Object]) {
    for (const name of ["from", "of", "apply", "construct", "stringify"]) replace(home, name, walks);
  }
  const searches = (old) => function (what, ...given) {
    if (this === null || this === undefined) throw new TypeError("no text");
    const text = Text(this);
    const plain = what !== null && what !== undefined && typeof what === "object" ? what : Text(what);
    const size = typeof plain === "string" ? plain.length : plain instanceof Pattern ? 1 : Text(plain).length;
    if (text.length * size > work) throw new Range("text too long to be searched");
    return apply(old, text, arguments.length ? [plain, ...given] : []);
  };
  const searching = ["indexOf", "lastIndexOf", "includes", "split", "replace", "replaceAll"];
  for (const name of searching) replace(String.prototype, name, searches);
  // Numbers without end: one of a million digits takes seconds to be written as text.
  const endless = /(?:^|[^\w$.])\d\w*n(?![\w$])/;
  define(endless, "exec", {value: Pattern.prototype.exec});
  const reads = (old) => function (...parts) {
    const texts = parts.map(String);
    for (const text of texts) if (endless.test(text)) throw new SyntaxError("BigInt is not there");
    return apply(old, undefined, texts);
  };
  const make = reads(Function);
  make.prototype = Function.prototype;
  define(Function.prototype, "constructor", {value: make});
  globalThis.Function = make;
  globalThis.eval = reads(globalThis.eval);
  for (const made of [function* () {}, async function () {}, async function* () {}]) {
    define(Object.getPrototypeOf(made), "constructor", {value: undefined});
  }
  const gone = [
    [Array.prototype, ["flat", "flatMap", "copyWithin", "toSpliced", "toSorted", "toReversed", "with"]],
    [DataView.prototype, ["getBigInt64", "getBigUint64", "setBigInt64", "setBigUint64"]],
    [Array, ["fromAsync"]], [String, ["raw"]],
    [Object.getPrototypeOf(Object.getPrototypeOf([].values())),
      ["drop", "take", "filter", "flatMap", "map", "reduce", "some", "every", "find", "forEach", "toArray"]],
    [Set.prototype, ["union", "intersection", "difference", "symmetricDifference", "isSubsetOf",
      "isSupersetOf", "isDisjointFrom"]],
    [globalThis, ["Proxy", "SharedArrayBuffer", "Atomics", "WeakRef", "FinalizationRegistry", "Iterator",
      "BigInt", "BigInt64Array", "BigUint64Array", "queueMicrotask", "performance"]],
  ];
  for (const [home, list] of gone) for (const name of list) delete home[name];
})()
"""
"""Run once in a fresh context, before anything of a document."""
