// What a page can do more than paper. Without it the page is all there, only quieter.
'use strict';

const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
};

// Above the text: the chapter's title, not the book's.
document.querySelector('.menu-title').textContent = document.querySelector('main h1').textContent;

// A move: its code in Rust's colours, the signs drawn and no part of the text, so that neither the copy
// button nor a selection takes them along, nor the lines that go.
const moves = new Map();
for (const code of document.querySelectorAll('code.language-diff')) {
    const lines = code.textContent.replace(/\n$/, '').split('\n');
    const kept = lines.filter(line => !line.startsWith('-')).map(line => line.slice(1) + '\n');
    moves.set(code, kept.join(''));
    code.className = 'hljs diff';
    code.replaceChildren(...lines.map(line => make('span', {
        className: {'+': 'added', '-': 'gone'}[line[0]] ?? 'same',
        innerHTML: hljs.highlight('rust', line.slice(1), true).value,
    })));
}
// mdBook's copy buttons ask this function of its for the text.
const textOf = playground_text;
playground_text = (pre, hidden) => moves.get(pre.querySelector('code')) ?? textOf(pre, hidden);

// A prediction: the answer opens when there is a guess, which this browser remembers.
const page = decodeURI(location.pathname.split('/').pop()) || 'index.html';
// Where a search led here, a fold with what was looked for is open.
const sought = (new URLSearchParams(location.search).get('highlight') ?? '').toLowerCase().split(/\s+/).filter(word => word);
const isSought = fold => sought.some(word => fold.textContent.toLowerCase().includes(word));
for (const fold of document.querySelectorAll('details')) fold.open ||= isSought(fold);
let storage = {};
try { storage = localStorage; } catch { /* forbidden: until the page is left */ }
document.querySelectorAll('details.prediction').forEach((answer, number) => {
    const key = `guess ${page} ${number}`;
    const input = make('input', {placeholder: 'Your guess', ariaLabel: 'Your guess', autocomplete: 'off'});
    const skip = make('button', {type: 'button', className: 'skip', textContent: 'just show me'});
    const form = make('form', {className: 'guess'}, input, make('button', {textContent: 'Show the answer'}), skip);
    const said = make('p', {className: 'said'});
    const show = guess => {
        form.replaceWith(said);
        said.textContent = guess ? `Your guess: ${guess}` : '';
        answer.hidden = false;
        answer.open = true;
    };
    form.onsubmit = event => {
        event.preventDefault();
        const guess = input.value.trim();
        if (!guess) return input.focus();
        storage[key] = guess;
        show(guess);
    };
    skip.onclick = () => show('');
    answer.hidden = true;
    answer.before(form);
    if (storage[key] || isSought(answer)) show(storage[key]);
});

// In the last chapter's table of predictions: what was guessed.
const table = document.getElementById('what-you-guessed-and-what-came-out')
    ?.parentElement.querySelector('#what-you-guessed-and-what-came-out ~ * table');
for (const row of table?.rows ?? []) {
    const chapter = row.cells[0].textContent;
    const keys = Object.keys(storage).filter(key => key.startsWith(`guess ${chapter}-`)).sort();
    const isHead = chapter === 'chapter';
    const cell = make(isHead ? 'th' : 'td', {className: isHead ? '' : 'said'});
    cell.textContent = isHead ? 'your guess' : keys.map(key => storage[key]).join('; ');
    row.append(cell);
}

// A number with its unit and its range is on one line.
const words = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
const texts = [];
while (words.nextNode()) if (!words.currentNode.parentElement.closest('pre, code, svg, script')) texts.push(words.currentNode);
for (const text of texts) {
    const parts = text.data.split(/(\d[\d.,]*\s(?:(?:[nµm]?s|[KM]B|bytes|%)(?!\w)(?:\s\([\d.,]+–[\d.,]+\))?|\([\d.,]+–[\d.,]+\)))/);
    if (parts.length > 1) text.replaceWith(...parts.map((part, at) =>
        at % 2 ? make('span', {className: 'whole', textContent: part}) : part));
}

// A timeline, tick by tick: what comes after the tick is clipped.
document.querySelectorAll('figure.timeline').forEach((figure, number) => {
    const svg = figure.querySelector('svg');
    const [tick, last] = [Number(svg.dataset.tick), Number(svg.dataset.ticks)];
    const shape = (name, attributes, parent) => {
        const element = document.createElementNS(svg.namespaceURI, name);
        for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
        parent.append(element);
        return element;
    };
    const clip = shape('clipPath', {id: `until-${number}`}, svg.querySelector('defs'));
    const until = shape('rect', {x: -1, y: -4, height: 20}, clip);
    const heads = [];
    const panels = [...svg.querySelectorAll('.panel')].map(panel => {
        const strips = [...panel.querySelectorAll('.strip')];
        const ends = strips.map(strip => {
            const box = strip.getBBox();
            return Math.round((box.x + box.width) / tick);
        });
        for (const strip of strips) {
            const own = shape('g', {'clip-path': `url(#until-${number})`}, strip);
            own.append(...[...strip.children].filter(child => child !== own));
            heads.push(shape('rect', {class: 'now', y: -2, width: 1, height: 13}, strip));
        }
        return {name: panel.querySelector('.title').firstChild.data.trim(), ends};
    });
    const slider = make('input', {type: 'range', min: 0, max: last, value: last, ariaLabel: 'Tick'});
    const play = make('button', {textContent: 'Play'});
    const status = make('output');
    const show = now => {
        slider.value = now;
        until.setAttribute('width', now * tick + 1);
        for (const head of heads) {
            head.setAttribute('x', now * tick - 0.5);
            head.setAttribute('visibility', now < last ? 'visible' : 'hidden');
        }
        const answered = panels.map(({name, ends}) =>
            `${name}: ${ends.filter(end => end <= now).length} answered`);
        status.textContent = [`tick ${now}`, ...answered].join(' · ');
    };
    let timer;
    const stop = () => {
        clearInterval(timer);
        timer = undefined;
        play.textContent = 'Play';
    };
    const step = by => {
        stop();
        show(Math.min(last, Math.max(0, slider.valueAsNumber + by)));
    };
    play.onclick = () => {
        if (timer) return stop();
        if (slider.valueAsNumber === last) show(0);
        play.textContent = 'Pause';
        timer = setInterval(() => {
            show(slider.valueAsNumber + 1);
            if (slider.valueAsNumber === last) stop();
        }, 150);
    };
    slider.oninput = () => step(0);
    const [back, on] = [[-1, '‹', 'A tick back'], [1, '›', 'A tick on']].map(([by, textContent, title]) =>
        make('button', {textContent, title, onclick: () => step(by)}));
    figure.prepend(make('div', {className: 'scroll'}, svg));
    figure.querySelector('figcaption').before(make('div', {className: 'steps'}, play, back, slider, on, status));
    show(last);
});

// What goes on beyond its right edge fades there.
for (const box of document.querySelectorAll('.scroll, .table-wrapper, pre > code')) {
    const look = () => box.classList.toggle('more', box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
    box.onscroll = look;
    new ResizeObserver(look).observe(box);
}
