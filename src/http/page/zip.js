// A ZIP archive without compression (PKWARE APPNOTE 6.3.10, 4.3), made in the browser.

const TABLE = Uint32Array.from({ length: 256 }, (_, at) => {
  let value = at;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 255];
  return (crc ^ 0xffffffff) >>> 0;
}

const FLAG_UTF8 = 0x0800, VERSION = 20;

/** `files` are `[name, bytes]`; the archive as a Blob. */
export function zip(files, now = new Date()) {
  const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
  const date = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  const parts = [], directory = [];
  let offset = 0;
  const numbers = (fields) => {
    const view = new DataView(new ArrayBuffer(fields.reduce((sum, [bytes]) => sum + bytes, 0)));
    let at = 0;
    for (const [bytes, value] of fields) {
      if (bytes === 4) view.setUint32(at, value, true); else view.setUint16(at, value, true);
      at += bytes;
    }
    return view.buffer;
  };
  for (const [name, bytes] of files) {
    const encoded = new TextEncoder().encode(name), { length } = bytes;
    const common = [[2, VERSION], [2, FLAG_UTF8], [2, 0], [2, time], [2, date], [4, crc32(bytes)], [4, length], [4, length], [2, encoded.length], [2, 0]];
    parts.push(numbers([[4, 0x04034b50], ...common]), encoded, bytes);
    directory.push(numbers([[4, 0x02014b50], [2, VERSION], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), encoded);
    offset += 30 + encoded.length + length;
  }
  const listed = directory.reduce((sum, part) => sum + part.byteLength, 0), count = files.length;
  const end = numbers([[4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, listed], [4, offset], [2, 0]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** Names that no two files share: `a.md`, `a-2.md`. */
export function distinct(names) {
  const seen = new Map();
  return names.map(([stem, ending]) => {
    const clean = stem.replace(/[\\/:*?"<>|\u0000-\u001f]/g, "_") || "result", count = (seen.get(clean) ?? 0) + 1;
    seen.set(clean, count);
    return `${clean}${count > 1 ? `-${count}` : ""}.${ending}`;
  });
}
