"""Pictures with at most 256 colours: a page has few, and its PNG becomes a third as large."""

import base64
import struct
import zlib

from playwright.sync_api import Page

# The most used colours; what else there is, of rounded letters, takes the nearest of them.
_INDEXED = """async (png) => {
  const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const { width, height } = bitmap;
  const brush = new OffscreenCanvas(width, height).getContext("2d");
  brush.drawImage(bitmap, 0, 0);
  const pixels = new Uint32Array(brush.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const each of pixels) counts.set(each, (counts.get(each) ?? 0) + 1);
  const palette = [...counts].sort(([, one], [, other]) => other - one).slice(0, 256).map(([colour]) => colour);
  const parts = (colour) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
  const far = (one, other) => parts(one).reduce((sum, part, at) => sum + (part - parts(other)[at]) ** 2, 0);
  const index = new Map(palette.map((colour, at) => [colour, at]));
  for (const colour of counts.keys()) {
    if (index.has(colour)) continue;
    const distances = palette.map((each) => far(colour, each));
    index.set(colour, distances.indexOf(Math.min(...distances)));
  }
  const indexed = Uint8Array.from(pixels, (each) => index.get(each));
  let text = "";
  for (let at = 0; at < indexed.length; at += 8192) text += String.fromCharCode(...indexed.subarray(at, at + 8192));
  return { width, height, palette: palette.flatMap(parts), pixels: btoa(text) };
}"""


def with_palette(png: bytes, page: Page) -> bytes:
    """Return *png* with a palette; *page* is an empty one, whose browser reads the picture."""
    found = page.evaluate(_INDEXED, base64.b64encode(png).decode())
    width, height, pixels = found["width"], found["height"], base64.b64decode(found["pixels"])
    lines = b"".join(b"\0" + pixels[row * width : (row + 1) * width] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, palette
    chunks = ((b"IHDR", header), (b"PLTE", bytes(found["palette"])), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
