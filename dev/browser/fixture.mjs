// Makes the questions of the tests, and the answers that the pretend service gives to them: what models
// write on good days, and what they might write on bad ones.
import { writeFileSync } from 'node:fs';

const topics = ['the tides', 'black holes', 'photosynthesis', 'the French Revolution', 'prime numbers', 'sourdough bread', 'the water cycle', 'recursion', 'plate tectonics', 'the immune system', 'inflation', 'the sonnet'];
const asks = ['Explain %s to a curious twelve-year-old.', 'What do most people get wrong about %s?', 'Give three exercises on %s, with solutions.', 'Summarise what matters about %s in five sentences.'];

const prose = topic => `## What it is about

When people speak of **${topic}**, they usually mean *several things at once*. Three of them matter most:

1. what can be **measured**, and how well;
2. what follows from it, step by step;
3. what we still do not know.

A short table helps to keep them apart:

| Part | Known since | How sure |
| --- | ---: | --- |
| measured | 1687 | very |
| derived | 1915 | quite |
| unknown | – | not at all |

> The first principle is that you must not fool yourself, and you are the easiest person to fool.

So the short answer is this: start from what can be checked, and say what you assume.`;

const reasoning = topic => `Okay, the question is about ${topic}. Let me think about who is asking.\n\nWait, I should not assume too much. Start with an everyday picture, then one number, then a check.\n\nAlternatively, begin with the common mistake. No: the picture first is clearer.\n\nSo: three parts, a table, one quotation. Let me check the dates. 1687 is Newton, 1915 is Einstein.`;

export const SPECIAL = [
  ['Why does a straight line minimise distance? Show the integral.', 'The length of a curve $y(x)$ from $a$ to $b$ is\n\n$$L = \\int_a^b \\sqrt{1 + y\'(x)^2}\\,dx.$$\n\nThe Euler–Lagrange equation gives \\(y\'\' = 0\\), so $y = mx + c$. A ticket costs $5 and a drink $7: those are no formulas.'],
  ['Write a function that returns the greatest common divisor.', 'Euclid\'s algorithm, in Rust:\n\n```rust\nfn gcd(a: u64, b: u64) -> u64 {\n    if b == 0 { a } else { gcd(b, a % b) }\n}\n```\n\nIt takes `O(log min(a, b))` steps. See [the article](https://example.com/gcd) for a proof.'],
  ['什么是黑洞?', '黑洞是时空中引力极强的区域,连光也无法逃脱。它的边界称为**事件视界**。\n\n- 恒星黑洞\n- 超大质量黑洞'],
  ['重力とは何ですか?', '重力は質量を持つ物体が互いに引き合う力です。引力とも呼ばれます。'],
  ['ما هي الجاذبية؟', 'الجاذبية هي القوة التي تجذب الأجسام نحو بعضها البعض.'],
];

/** Answers that must be shown and do nothing. `__hit` is set by whatever of them runs. */
export const HOSTILE = [
  ['hostile: a script', '<script>window.__hit = 1</script>\n\nHello <b>there</b>'],
  ['hostile: an image that runs', '<img src=x onerror="window.__hit = 1">\n\n![x](http://192.0.2.1/leak.png)\n\n![y](javascript:window.__hit=1)'],
  ['hostile: svg', '<svg onload="window.__hit = 1"><script>window.__hit = 1</script><animate onbegin="window.__hit=1" attributeName=x dur=1s></svg>'],
  ['hostile: links', '[a](javascript:window.__hit=1) [b](data:text/html,<script>parent.__hit=1</script>) [c](vbscript:x) <a href="javascript:window.__hit=1">d</a> [e](https://example.com/ok)'],
  ['hostile: frames and forms', '<iframe srcdoc="<script>parent.__hit=1</script>"></iframe><form action="http://192.0.2.1/"><input name=q autofocus onfocus="window.__hit=1"></form><object data="javascript:window.__hit=1"></object><base href="http://192.0.2.1/">'],
  ['hostile: css', '<style>body{display:none}</style><link rel=stylesheet href="http://192.0.2.1/x.css"><p style="position:fixed;inset:0;background:url(http://192.0.2.1/x.png)">covered</p>'],
  ['hostile: mutation', '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.__hit=1&gt;">'],
  ['hostile: bidi \u202Egnp.exe', 'access\u202E level\u2066 user\u2069 ends \u200f here'],
  ['hostile: ansi', '\u001b[2J\u001b[31mred\u001b[0m \u0007 bell and a \u0000 byte'],
  ['hostile: nesting', '>'.repeat(100000) + ' deep'],
  ['hostile: brackets', '['.repeat(50000) + '*'.repeat(50000)],
  ['hostile: lists', Array.from({ length: 2000 }, (_, i) => ' '.repeat(i % 900) + '- x').join('\n')],
  ['hostile: a long line', 'word '.repeat(2_000_000)],
  ['hostile: formulas', '$\\def\\a{\\a\\a}\\a$ $\\href{javascript:window.__hit=1}{x}$ $\\includegraphics{http://192.0.2.1/y.png}$ $\\htmlData{x=1}{y}$ $\\rule{9999em}{9999em}$'],
  ['hostile: closing tags', '</div></main></body><script>window.__hit=1</script>" onmouseover="window.__hit=1'],
];

const rows = [];
for (const ask of asks) for (const topic of topics) rows.push([ask.replace('%s', topic), prose(topic), reasoning(topic)]);
for (const [question, answer] of process.env.ONLY === 'pictures' ? SPECIAL : [...SPECIAL, ...HOSTILE]) rows.push([question, answer, 'Short.']);
// The pretend service refuses and fails these.
for (let i = 1; i <= 4; i++) rows.push([`refused-${i}: something that the service does not answer`, '', '']);
for (let i = 1; i <= 2; i++) rows.push([`cut-${i}: something longer than the limit`, '', '']);

if (process.argv[2]) {
  const cell = text => '"' + text.replaceAll('"', '""') + '"';
  writeFileSync(process.argv[2] + '/q.csv', ['question', ...rows.map(([question]) => cell(question))].join('\n') + '\n');
  const answered = rows.filter(([, answer]) => answer);
  writeFileSync(process.argv[2] + '/answers.json', answered.map(([question, answer, thought]) => JSON.stringify({ metadata: { question }, response: { reasoning: thought, answer } })).join('\n') + '\n');
}
