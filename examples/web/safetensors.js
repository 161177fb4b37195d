// Files of tensors: eight bytes of length, a header in JSON, then the numbers. A tensor here is {type, data, dims}, with
// the names of types that onnxruntime has.

const TYPES = {
  F32: ["float32", Float32Array],
  F64: ["float64", Float64Array],
  I64: ["int64", BigInt64Array],
  I32: ["int32", Int32Array],
  U8: ["uint8", Uint8Array],
  BOOL: ["bool", Uint8Array],
};

/** What a file holds: its tensors by name, where each of them lies ([begin, end] in bytes), and its texts. */
export function read(file) {
  const bytes = new Uint8Array(file.buffer ?? file, file.byteOffset ?? 0, file.byteLength);
  const length = bytes.length < 8 ? Infinity : Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (8 + length > bytes.length) throw new Error("this is not a .safetensors file, or it has been cut off");
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch {
    throw new Error("this is not a .safetensors file: its header cannot be read");
  }
  const tensors = {};
  const places = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (!(entry.dtype in TYPES)) throw new Error(`${name} has the type ${entry.dtype}, which is not read here`);
    const [type, Numbers] = TYPES[entry.dtype];
    const [begin, end] = entry.data_offsets.map((offset) => 8 + length + offset);
    const size = entry.shape.reduce((product, one) => product * one, 1);
    if (end > bytes.length || end - begin !== size * Numbers.BYTES_PER_ELEMENT) throw new Error(`${name} has been cut off`);
    tensors[name] = { type, data: new Numbers(bytes.slice(begin, end).buffer), dims: entry.shape };
    places[name] = [begin, end];
  }
  return { tensors, places, metadata: header.__metadata__ ?? {} };
}

/** Such a file, as bytes. */
export function write(tensors, metadata = {}) {
  const header = Object.keys(metadata).length ? { __metadata__: metadata } : {};
  const pieces = [];
  let offset = 0;
  for (const [name, { type, data, dims }] of Object.entries(tensors)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const dtype = Object.keys(TYPES).find((key) => TYPES[key][0] === type);
    header[name] = { dtype, shape: [...dims], data_offsets: [offset, offset + bytes.length] };
    pieces.push(bytes);
    offset += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const begin = 8 + Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(begin + offset).fill(32, 0, begin);
  new DataView(file.buffer).setBigUint64(0, BigInt(begin - 8), true);
  file.set(text, 8);
  offset = begin;
  for (const piece of pieces) {
    file.set(piece, offset);
    offset += piece.length;
  }
  return file;
}
