// A raw HJ 212 frame cut into named pieces with their byte offsets, so that a person can read it field by field.
// The server's decoding is what counts; this only shows where in the bytes each thing stands.
export interface Piece { from: number; to: number; name: string; text: string; group: string }

const WIDTH = new TextEncoder()
/** Bytes, not characters: a frame may carry Chinese text in a message field. */
const bytes = (s: string) => WIDTH.encode(s).length

export function framePieces(raw: string): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  const put = (text: string, name: string, group: string) => {
    if (text === '') return
    const n = bytes(text)
    pieces.push({ from: at, to: at + n, name, text, group })
    at += n
  }
  if (!raw.startsWith('##') || !/^##\d{4}/.test(raw)) {
    put(raw, '?', 'broken')
    return pieces
  }
  put('##', 'head', 'frame')
  put(raw.slice(2, 6), 'length', 'frame')
  let rest = raw.slice(6)
  const tail = /([0-9A-Fa-f]{4})(\r?\n?)$/.exec(rest)
  if (tail) rest = rest.slice(0, tail.index)
  const open = rest.indexOf('CP=&&')
  const close = rest.lastIndexOf('&&')
  const head = open < 0 ? rest : rest.slice(0, open)
  for (const field of head.split(/(?<=;)/)) put(field, field.split('=')[0] ?? '', 'header')
  if (open >= 0) {
    put('CP=&&', 'CP', 'header')
    const area = close > open + 4 ? rest.slice(open + 5, close) : rest.slice(open + 5)
    for (const group of area.split(/(?<=;)/)) for (const item of group.split(/(?<=,)/)) put(item, item.split('=')[0] ?? '', 'data')
    if (close > open + 4) put(rest.slice(close), '&&', 'header')
  }
  if (tail) {
    put(tail[1]!, 'CRC', 'frame')
    put(tail[2]!, 'end', 'frame')
  }
  return pieces
}
export const visible = (text: string) => text.replace(/\r/g, '␍').replace(/\n/g, '␊')
