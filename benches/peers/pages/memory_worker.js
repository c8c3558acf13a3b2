// Sums the words of a part of a shared memory with simd128, in a module that is put together here, byte by byte:
//
//     (import "m" "m" (memory PAGES PAGES shared))
//     (func (export "fill") (param $from i32) (param $bytes i32) memory.fill with ones)
//     (func (export "sum") (param $at i32) (param $end i32) (result i64) eight sums of two words, side by side)
//
// The numbers are those of the WebAssembly core specification, chapter 5 (binary format).

const SUMS = 8;
const VECTOR_BYTES = 16;
/** What `fill` writes into every word. */
const WORD = 0x0101010101010101n;

function leb128(value) {
  const bytes = [];
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0));
    value >>>= 7;
  } while (value > 0);
  return bytes;
}
/** As constants are: the last byte's bit 6 is the sign. */
function signedLeb128(value) {
  return value < 64 ? [value] : [(value & 127) | 128, ...signedLeb128(value >>> 7)];
}
const counted = (items) => [...leb128(items.length), ...items.flat()];
const section = (id, items) => {
  const content = counted(items);
  return [id, ...leb128(content.length), ...content];
};
const text = (value) => counted([...value].map((letter) => letter.charCodeAt(0)));

const [I32, I64, V128, NOTHING] = [0x7f, 0x7e, 0x7b, 0x40];
const get = (local) => [0x20, local];
const set = (local) => [0x21, local];
const i32Const = (value) => [0x41, ...signedLeb128(value)];
const load = (offset) => [0xfd, 0x00, 4, ...leb128(offset)];
const ADD_VECTORS = [0xfd, 0xce, 0x01];
const word = (local, lane) => [...get(local), 0xfd, 0x1d, lane];
const ADD_WORDS = 0x7c;
const END = 0x0b;

function assemble(pages) {
  const sums = Array.from({ length: SUMS }, (_, index) => 2 + index);
  const step = sums.flatMap((sum, index) => [...get(sum), ...get(0), ...load(index * VECTOR_BYTES), ...ADD_VECTORS, ...set(sum)]);
  const [NEXT, LESS, REPEAT] = [0x6a, 0x49, [0x0d, 0]];
  const loop = [0x03, NOTHING, ...step, ...get(0), ...i32Const(SUMS * VECTOR_BYTES), NEXT, 0x22, 0, ...get(1), LESS, ...REPEAT, END];
  const words = sums.flatMap((sum) => [...word(sum, 0), ...word(sum, 1)]);
  const whole = [...words, ...new Array(2 * SUMS - 1).fill(ADD_WORDS)];
  const fill = [0, ...get(0), ...i32Const(1), ...get(1), 0xfc, 0x0b, 0, END];
  const sum = [1, SUMS, V128, ...loop, ...whole, END];
  const SHARED = 3;
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [[0x60, 2, I32, I32, 0], [0x60, 2, I32, I32, 1, I64]]),
    ...section(2, [[...text("m"), ...text("m"), 2, SHARED, ...leb128(pages), ...leb128(pages)]]),
    ...section(3, [[0], [1]]),
    ...section(7, [[...text("fill"), 0, 0], [...text("sum"), 0, 1]]),
    ...section(10, [counted(fill), counted(sum)]),
  ]);
}

let pass;

function prepare({ memory, from, to }) {
  const module = new WebAssembly.Module(assemble(memory.buffer.byteLength / 65536));
  const { fill, sum } = new WebAssembly.Instance(module, { m: { m: memory } }).exports;
  fill(from, to - from);
  const expected = BigInt.asUintN(64, BigInt((to - from) / 8) * WORD);
  pass = () => {
    const start = performance.timeOrigin + performance.now();
    const got = BigInt.asUintN(64, sum(from, to));
    const end = performance.timeOrigin + performance.now();
    if (got !== expected) throw new Error(`the sum of the words is ${got}, not ${expected}`);
    return { start, end };
  };
}

onmessage = ({ data }) => {
  if (data === "pass") postMessage(pass());
  else prepare(data);
};
