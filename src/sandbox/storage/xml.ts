import type { Reply } from '../http/message.js';

/** XML that has been escaped already. */
export class Xml {
  constructor(readonly text: string) {}
}

export function element(name: string, content: string | number | boolean | readonly Xml[]): Xml {
  const inner = Array.isArray(content)
    ? content.map((each: Xml) => each.text).join('')
    : escapeXml(String(content));
  return new Xml(`<${name}>${inner}</${name}>`);
}

export function xmlReply(status: number, root: Xml, headers: Record<string, string> = {}): Reply {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${root.text}`);
  return { status, headers: { 'content-type': 'application/xml', ...headers }, body };
}

/** The root of an S3 answer, with S3's namespace. */
export function s3Document(name: string, content: readonly Xml[]): Xml {
  const inner = content.map((each) => each.text).join('');
  return new Xml(`<${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</${name}>`);
}

/** The texts of every element of a name in a small request body; S3's own bodies nest nothing deeper. */
export function elementTexts(xml: string, name: string): string[] {
  const pattern = new RegExp(`<(?:\\w+:)?${name}(?:\\s[^>]*)?>([\\s\\S]*?)</(?:\\w+:)?${name}>`, 'g');
  return [...xml.matchAll(pattern)].map((match) => match[1] ?? '');
}

export function elementText(xml: string, name: string): string | null {
  const text = elementTexts(xml, name)[0];
  return text === undefined ? null : unescapeXml(text);
}

function escapeXml(text: string): string {
  return (
    text
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;')
      .replace(/"/g, '&quot;')
      // A literal carriage return would be read back as a line feed.
      .replace(/\r/g, '&#13;')
  );
}

function unescapeXml(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(#x[\da-f]+|#\d+|\w+);/gi, (whole, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    return named[name] ?? whole;
  });
}
